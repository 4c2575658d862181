"""The processes that train together, one per GPU: started by torchrun, or just this one."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

_PATIENCE = datetime.timedelta(hours=12)  # the others wait while the first reconstructs


@dataclass(frozen=True)
class Ranks:
    """One process among those that train together.

    Attributes:
        number, count: which of how many.
        device: where it computes.
    """

    number: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def first(self) -> bool:
        """Whether it is the one that saves, logs and shows progress."""
        return self.number == 0

    @staticmethod
    @contextlib.contextmanager
    def join() -> Iterator[Ranks]:
        """Meet the others that torchrun started, if it did, for as long as the context lasts."""
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
        if "WORLD_SIZE" not in os.environ:
            yield Ranks(device=device)
            return
        if cuda:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
        try:
            yield Ranks(dist.get_rank(), dist.get_world_size(), device)
            dist.barrier()  # a process that leaves early takes the connection from the others
        finally:
            dist.destroy_process_group()

    def wait(self) -> None:
        """Wait for the other processes to come here as well."""
        if self.count > 1:
            dist.barrier()

    def share(self, network: nn.Module, some_unused: bool = False) -> nn.Module:
        """The network as to be called in training: its gradients become their mean over all processes.

        Args:
            network: of which every process has the same copy.
            some_unused: there are steps in which some of its parameters have no part.
        """
        if self.count == 1:
            return network
        return DistributedDataParallel(network, broadcast_buffers=False, find_unused_parameters=some_unused)

    def average(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Means of scalars over all processes, which all have the same keys; waits for the device once."""
        if not values:
            return {}
        means = torch.stack(list(values.values())).double()
        if self.count > 1:
            dist.all_reduce(means)
        return dict(zip(values, (means / self.count).tolist(), strict=True))

    def any(self, here: bool) -> bool:
        """Whether it is so in any of the processes."""
        if self.count == 1:
            return here
        flag = torch.tensor(float(here), device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)
