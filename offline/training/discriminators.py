"""The discriminators of a run (Eq. 5): of frames, mouths, eyes, and of motion at three temporal scales."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from offline.networks.patch_discriminator import MultiScaleDiscriminator
from offline.training.discriminator_inputs import (
    FRAME_CHANNELS,
    MOTION_CHANNELS,
    STRIDES,
    TrainingFrame,
    frame_inputs,
    motion_inputs,
)
from offline.training.profiles import Weights

Features = list[list[Tensor]]  # per scale, per layer


@dataclass(frozen=True)
class Pair:
    """What one discriminator is to tell apart, [B, C, H, W] each; gradients flow through ``fake``."""

    name: str
    discriminator: MultiScaleDiscriminator
    weight: float
    real: Tensor
    fake: Tensor


@dataclass(frozen=True)
class Verdict:
    """A discriminator's features of both sides of a pair; they bear gradients for the discriminator alone."""

    real: Features
    fake: Features


class Discriminators(nn.Module):
    """All discriminators of a run.

    Args:
        width: channels after each one's first layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.image = MultiScaleDiscriminator(FRAME_CHANNELS, width)
        self.mouth = MultiScaleDiscriminator(FRAME_CHANNELS, width)
        self.eyes = MultiScaleDiscriminator(FRAME_CHANNELS, width)
        self.dynamics = nn.ModuleList([MultiScaleDiscriminator(MOTION_CHANNELS, width) for _ in STRIDES])

    def pairs(self, frame: TrainingFrame, weights: Weights) -> Iterator[Pair]:
        """What the discriminators see of a frame, those that weigh nothing left out."""
        if weights.image:
            yield Pair("image", self.image, weights.image, *frame_inputs(frame, frame.crops.drawn))
        if weights.mouth:
            yield Pair("mouth", self.mouth, weights.mouth, *frame_inputs(frame, frame.crops.mouths))
        if weights.eyes:
            yield Pair("eyes", self.eyes, weights.eyes, *frame_inputs(frame, frame.crops.eyes))
        if weights.dynamics:
            for stride, discriminator in zip(STRIDES, self.dynamics, strict=True):
                if stride in frame.motions:
                    assert isinstance(discriminator, MultiScaleDiscriminator)
                    inputs = motion_inputs(frame, frame.motions[stride])
                    yield Pair(f"dynamics {stride}", discriminator, weights.dynamics, *inputs)

    def forward(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Features of both sides of each pair."""
        verdicts = []
        for pair in pairs:
            features = pair.discriminator(torch.cat([pair.real, pair.fake.detach()]))
            real, fake = ([[layer.chunk(2)[side] for layer in scale] for scale in features] for side in range(2))
            verdicts.append(Verdict(real, fake))
        return verdicts
