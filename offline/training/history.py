"""The past of a frame under training: earlier outputs and true frames, and the flows to them."""

from __future__ import annotations

import torch
from torch import Tensor

from offline.training.gan import STRIDES
from offline.training.loader import Batch, Pair
from offline.training.losses import warping_l1


class Past:
    """The earlier frames of sequences under training, and the flows to them.

    Args:
        batch: the sequences.
        device: torch device.
    """

    def __init__(self, batch: Batch, device: torch.device) -> None:
        self._flows: dict[Pair, Tensor] = {
            pair: torch.from_numpy(flow).to(device).permute(0, 3, 1, 2) for pair, flow in batch.flows.items()
        }
        self._outputs: list[Tensor] = []
        self._truths: list[Tensor] = []

    def add(self, output: Tensor, truth: Tensor) -> None:
        """Remember a frame: output and truth [B, 3, H, W]."""
        self._outputs.append(output)
        self._truths.append(truth)

    def motions(self, t: int) -> dict[int, tuple[list[Tensor], list[Tensor], list[Tensor]]]:
        """What the dynamics discriminators see of the past of frame ``t``; see ``Scene.motions``."""
        found = {}
        for stride in STRIDES:
            if t >= 2 * stride:
                a, b = t - stride, t - 2 * stride
                flows = [self._flows[t, a], self._flows[a, b]]
                found[stride] = ([self._outputs[a], self._outputs[b]], [self._truths[a], self._truths[b]], flows)
        return found

    def warping(self, t: int, output: Tensor, truth: Tensor) -> Tensor:
        """Warping loss of frame ``t``, which has one before it; output and truth [B, 3, H, W]."""
        return warping_l1(output, self._outputs[t - 1], truth, self._truths[t - 1], self._flows[t, t - 1])
