"""The discriminators at work (Eq. 5): frames, mouths, eyes, and motion at three temporal scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from offline.dataset.dataset import Window, part_window
from offline.networks.discriminators import MultiScaleDiscriminator
from offline.training.losses import discriminator_loss, feature_matching, generator_loss
from offline.training.profiles import Weights

STRIDES = (1, 3, 9)  # frames between the three that a dynamics discriminator sees
_FLOW_SCALE = 20.0  # px of flow that count as 1
_CONDITIONING, _PICTURE = 6, 3


@dataclass(frozen=True)
class Pair:
    """What one discriminator is to tell apart, [B, C, H, W] each; gradients flow through ``fake``."""

    name: str
    discriminator: MultiScaleDiscriminator
    weight: float
    real: Tensor
    fake: Tensor


@dataclass(frozen=True)
class Scene:
    """A frame under training.

    Attributes:
        shown: conditioning [B, 6, H, W].
        output, truth: pictures [B, 3, H, W], of which the output bears gradients.
        windows: where the costly losses look in each.
        mouths, eyes: middle of each one's mouth, and of its eyes, px (x, y).
        motions: per temporal scale that has a past, earlier outputs and true pictures (two each, nearest first,
            [B, 3, H, W]) and flows between neighbours ([B, 2, H, W] px, nearest first).
    """

    shown: Tensor
    output: Tensor
    truth: Tensor
    windows: list[Window]
    mouths: list[np.ndarray]
    eyes: list[np.ndarray]
    motions: dict[int, tuple[list[Tensor], list[Tensor], list[Tensor]]]


class Adversaries(nn.Module):
    """All discriminators of a run.

    Args:
        width: channels after each one's first layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        still = _CONDITIONING + _PICTURE
        moving = 3 * _PICTURE + 2 * 2
        self.image = MultiScaleDiscriminator(still, width)
        self.mouth = MultiScaleDiscriminator(still, width)
        self.eyes = MultiScaleDiscriminator(still, width)
        self.dynamics = nn.ModuleList([MultiScaleDiscriminator(moving, width) for _ in STRIDES])

    def pairs(self, scene: Scene, weights: Weights) -> Iterator[Pair]:
        """What the discriminators see of a frame, those that weigh nothing left out."""
        if weights.image:
            yield self._still("image", self.image, weights.image, scene, scene.windows)
        size = scene.truth.shape[-1]
        if weights.mouth:
            windows = [part_window(mouth, size) for mouth in scene.mouths]
            yield self._still("mouth", self.mouth, weights.mouth, scene, windows)
        if weights.eyes:
            windows = [part_window(eyes, size) for eyes in scene.eyes]
            yield self._still("eyes", self.eyes, weights.eyes, scene, windows)
        if weights.dynamics:
            for stride, judge in zip(STRIDES, self.dynamics, strict=True):
                if stride in scene.motions:
                    outputs, truths, flows = scene.motions[stride]
                    scaled = [flow / _FLOW_SCALE for flow in flows]
                    real = torch.cat([scene.truth, *truths, *scaled], 1)
                    fake = torch.cat([scene.output, *outputs, *scaled], 1)
                    assert isinstance(judge, MultiScaleDiscriminator)
                    yield Pair(f"dynamics {stride}", judge, weights.dynamics, real, fake)

    @staticmethod
    def _still(name: str, judge: MultiScaleDiscriminator, weight: float, scene: Scene, windows: list[Window]) -> Pair:
        real, fake = (cut(torch.cat([scene.shown, picture], 1), windows) for picture in (scene.truth, scene.output))
        return Pair(name, judge, weight, real, fake)


def cut(pictures: Tensor, windows: list[Window]) -> Tensor:
    """Each picture's window, [B, C, h, w] of [B, C, H, W]."""
    return torch.stack([one[:, rows, columns] for one, (rows, columns) in zip(pictures, windows, strict=True)])


def adversarial_losses(pairs: Iterator[Pair], matching: float) -> tuple[Tensor | None, dict[str, Tensor]]:
    """Both sides' losses on what the discriminators see of a frame.

    Args:
        pairs: what they are to tell apart.
        matching: weight of feature matching, times each discriminator's own.

    Returns:
        The discriminators' loss (``None`` without any), and the generator's by name: to pass for real, and to match
        the features of the truth. The discriminators bear no gradients of the latter.
    """
    own: Tensor | None = None
    losses: dict[str, Tensor] = {}
    for pair in pairs:
        features = pair.discriminator(torch.cat([pair.real, pair.fake.detach()]))
        real, fake = ([[layer.chunk(2)[k] for layer in scale] for scale in features] for k in range(2))
        loss = discriminator_loss(real, fake)
        own = loss if own is None else own + loss
        pair.discriminator.requires_grad_(False)
        passed = pair.discriminator(pair.fake)
        pair.discriminator.requires_grad_(True)
        losses[pair.name] = pair.weight * generator_loss(passed)
        if matching:
            losses[f"{pair.name} matching"] = pair.weight * matching * feature_matching(real, passed)
    return own, losses
