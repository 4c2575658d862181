"""What the discriminators see (Eq. 5): a frame with its conditioning, and motion at three temporal scales."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from offline.dataset.mouth_and_eye_windows import Window
from offline.training.loss_crops import Crops, cut

STRIDES = (1, 3, 9)  # frames between the three that a dynamics discriminator sees
_FLOW_SCALE = 20.0  # px of flow that count as 1
_CONDITIONING, _IMAGE, _FLOW = 6, 3, 2  # channels
FRAME_CHANNELS = _CONDITIONING + _IMAGE  # of an image's discriminator
MOTION_CHANNELS = 3 * _IMAGE + 2 * _FLOW  # of a dynamics discriminator


@dataclass(frozen=True)
class Motion:
    """The history of a frame at one temporal scale, nearest first.

    Attributes:
        outputs, truths: two earlier frames each, [B, 3, H, W].
        flows: between neighbors, [B, 2, H, W] px.
    """

    outputs: list[Tensor]
    truths: list[Tensor]
    flows: list[Tensor]


@dataclass(frozen=True)
class TrainingFrame:
    """A frame under training.

    Attributes:
        conditioning: [B, 6, H, W].
        output, truth: images [B, 3, H, W], of which the output bears gradients.
        weights: how much each pixel counts, [B, 1, H, W]; ``None`` where no loss asks for it.
        crops: where the losses look in each.
        motions: per temporal scale that has a history.
    """

    conditioning: Tensor
    output: Tensor
    truth: Tensor
    weights: Tensor | None
    crops: Crops
    motions: dict[int, Motion]


def frame_inputs(frame: TrainingFrame, windows: list[Window]) -> tuple[Tensor, Tensor]:
    """Conditioning with truth, and with output: the windows of each, [B, FRAME_CHANNELS, h, w]."""
    real, fake = (cut(torch.cat([frame.conditioning, image], 1), windows) for image in (frame.truth, frame.output))
    return real, fake


def motion_inputs(frame: TrainingFrame, motion: Motion) -> tuple[Tensor, Tensor]:
    """Three true frames, and three outputs, with the flows between them, [B, MOTION_CHANNELS, H, W]."""
    scaled = [flow / _FLOW_SCALE for flow in motion.flows]
    real = torch.cat([frame.truth, *motion.truths, *scaled], 1)
    fake = torch.cat([frame.output, *motion.outputs, *scaled], 1)
    return real, fake
