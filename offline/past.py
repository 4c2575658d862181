"""The past of a frame under training: earlier outputs and true frames, and the flows to them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from offline.adversaries import STRIDES
from offline.dataset import Dataset
from offline.losses import warping_l1


class Past:
    """The earlier frames of sequences under training, and the flows to them.

    Args:
        dataset: knows the flows.
        starts: number of each sequence's first frame in it.
        device: torch device.
    """

    def __init__(self, dataset: Dataset, starts: list[int], device: torch.device) -> None:
        self._dataset, self._starts, self._device = dataset, starts, device
        self._outputs: list[Tensor] = []
        self._truths: list[Tensor] = []
        self._flows: dict[tuple[int, int], Tensor] = {}

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
                flows = [self._flow(t, a), self._flow(a, b)]
                found[stride] = ([self._outputs[a], self._outputs[b]], [self._truths[a], self._truths[b]], flows)
        return found

    def warping(self, t: int, output: Tensor, truth: Tensor) -> Tensor:
        """Warping loss of frame ``t``, which has one before it; output and truth [B, 3, H, W]."""
        return warping_l1(output, self._outputs[t - 1], truth, self._truths[t - 1], self._flow(t, t - 1))

    def _flow(self, now: int, earlier: int) -> Tensor:
        """Flow [B, 2, H, W] px between frames of the sequences."""
        if (now, earlier) not in self._flows:
            flows = np.stack([self._dataset.flow(start + now, start + earlier) for start in self._starts])
            self._flows[now, earlier] = torch.from_numpy(flows).to(self._device).permute(0, 3, 1, 2)
        return self._flows[now, earlier]
