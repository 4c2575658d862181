"""The history of a frame under training: earlier outputs and true frames, and the flows to them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from offline.training.discriminator_inputs import STRIDES, Motion
from offline.training.loader import FramePair
from offline.training.pixel_losses import warping_l1


class History:
    """The earlier frames of sequences under training.

    Args:
        flows: between frames of the sequences, [B, 2, H, W] px.
    """

    def __init__(self, flows: Mapping[FramePair, Tensor]) -> None:
        self._flows = flows
        self._outputs: list[Tensor] = []
        self._truths: list[Tensor] = []

    @property
    def length(self) -> int:
        """How many frames there have been."""
        return len(self._outputs)

    def add(self, output: Tensor, truth: Tensor) -> None:
        """The next frame: output and truth [B, 3, H, W]."""
        self._outputs.append(output)
        self._truths.append(truth)

    def motions(self, t: int) -> dict[int, Motion]:
        """What the dynamics discriminators see of the history of frame ``t``, per temporal scale that has one."""
        motions = {}
        for stride in STRIDES:
            if t >= 2 * stride:
                a, b = t - stride, t - 2 * stride
                motions[stride] = Motion(
                    outputs=[self._outputs[a], self._outputs[b]],
                    truths=[self._truths[a], self._truths[b]],
                    flows=[self._flows[t, a], self._flows[a, b]],
                )
        return motions

    def warping(self, t: int, output: Tensor, truth: Tensor) -> Tensor:
        """Warping loss of frame ``t``, which has one before it; output and truth [B, 3, H, W]."""
        return warping_l1(output, self._outputs[t - 1], truth, self._truths[t - 1], self._flows[t, t - 1])
