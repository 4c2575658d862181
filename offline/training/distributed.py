"""The processes that train together, one per GPU: started by torchrun, or just this one."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

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

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the parameters' gradients by their mean over all processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient) / self.count)

    def average(self, values: dict[str, float]) -> dict[str, float]:
        """Means over all processes, which all have the same keys."""
        if self.count == 1:
            return values
        tensor = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return dict(zip(values, (tensor / self.count).tolist(), strict=True))

    def any(self, here: bool) -> bool:
        """Whether it is so in any of the processes."""
        return self.average({"": float(here)})[""] > 0
