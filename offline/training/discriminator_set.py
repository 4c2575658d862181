"""The discriminators at work (Eq. 5): frames, mouths, eyes, and motion at three temporal scales."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from offline.dataset.dataset import Window
from offline.networks.discriminators import MultiScaleDiscriminator
from offline.training.crops import Crops, cut
from offline.training.pixel_losses import discriminator_loss, feature_matching, generator_loss
from offline.training.profiles import Weights

STRIDES = (1, 3, 9)  # frames between the three that a dynamics discriminator sees
_FLOW_SCALE = 20.0  # px of flow that count as 1
_CONDITIONING, _IMAGE = 6, 3  # channels
Features = list[list[Tensor]]  # per scale, per layer


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
        still = _CONDITIONING + _IMAGE
        moving = 3 * _IMAGE + 2 * 2
        self.image = MultiScaleDiscriminator(still, width)
        self.mouth = MultiScaleDiscriminator(still, width)
        self.eyes = MultiScaleDiscriminator(still, width)
        self.dynamics = nn.ModuleList([MultiScaleDiscriminator(moving, width) for _ in STRIDES])

    def pairs(self, frame: TrainingFrame, weights: Weights) -> Iterator[Pair]:
        """What the discriminators see of a frame, those that weigh nothing left out."""
        if weights.image:
            yield self._still("image", self.image, weights.image, frame, frame.crops.drawn)
        if weights.mouth:
            yield self._still("mouth", self.mouth, weights.mouth, frame, frame.crops.mouths)
        if weights.eyes:
            yield self._still("eyes", self.eyes, weights.eyes, frame, frame.crops.eyes)
        if weights.dynamics:
            for stride, discriminator in zip(STRIDES, self.dynamics, strict=True):
                if stride in frame.motions:
                    motion = frame.motions[stride]
                    scaled = [flow / _FLOW_SCALE for flow in motion.flows]
                    real = torch.cat([frame.truth, *motion.truths, *scaled], 1)
                    fake = torch.cat([frame.output, *motion.outputs, *scaled], 1)
                    assert isinstance(discriminator, MultiScaleDiscriminator)
                    yield Pair(f"dynamics {stride}", discriminator, weights.dynamics, real, fake)

    @staticmethod
    def _still(
        name: str, discriminator: MultiScaleDiscriminator, weight: float, frame: TrainingFrame, windows: list[Window]
    ) -> Pair:
        real, fake = (cut(torch.cat([frame.conditioning, image], 1), windows) for image in (frame.truth, frame.output))
        return Pair(name, discriminator, weight, real, fake)

    def forward(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Features of both sides of each pair."""
        verdicts = []
        for pair in pairs:
            features = pair.discriminator(torch.cat([pair.real, pair.fake.detach()]))
            real, fake = ([[layer.chunk(2)[side] for layer in scale] for scale in features] for side in range(2))
            verdicts.append(Verdict(real, fake))
        return verdicts


def adversarial_losses(pairs: Sequence[Pair], verdicts: Sequence[Verdict], matching: float) -> dict[str, Tensor]:
    """The generator's losses by name: to pass for real, and to match the features of the truth.

    The discriminators get no gradients of them.

    Args:
        pairs: what the discriminators see.
        verdicts: what they make of it.
        matching: weight of feature matching, times each discriminator's own.
    """
    losses: dict[str, Tensor] = {}
    for pair, verdict in zip(pairs, verdicts, strict=True):
        pair.discriminator.requires_grad_(False)
        passed = pair.discriminator(pair.fake)
        pair.discriminator.requires_grad_(True)
        losses[pair.name] = pair.weight * generator_loss(passed)
        if matching:
            losses[f"{pair.name} matching"] = pair.weight * matching * feature_matching(verdict.real, passed)
    return losses


def discriminators_loss(verdicts: Sequence[Verdict]) -> Tensor:
    """The discriminators' own loss, summed over them."""
    return torch.stack([discriminator_loss(verdict.real, verdict.fake) for verdict in verdicts]).sum()
