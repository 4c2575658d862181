"""The least-squares GAN losses (LSGAN) of discriminators and generator, and feature matching (Eq. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from offline.training.discriminators import Features, Pair, Verdict


def discriminator_loss(real: Features, fake: Features) -> Tensor:
    """Least-squares GAN loss of a multi-scale discriminator: ½ (D(real) - 1)² + ½ D(fake)², summed over its scales."""
    total = torch.zeros((), device=real[0][-1].device)
    for r, f in zip(real, fake, strict=True):
        total = total + ((r[-1].float() - 1) ** 2).mean() / 2 + (f[-1].float() ** 2).mean() / 2
    return total


def generator_loss(fake: Features) -> Tensor:
    """Least-squares GAN loss of the generator: ½ (D(fake) - 1)², summed over the discriminator's scales."""
    total = torch.zeros((), device=fake[0][-1].device)
    for f in fake:
        total = total + ((f[-1].float() - 1) ** 2).mean() / 2
    return total


def feature_matching(real: Features, fake: Features) -> Tensor:
    """Mean absolute difference of each of the discriminator's features, summed over layers, mean over scales.

    As in pix2pixHD: 4 / (layers + 1) is 1 for its three strided layers.
    """
    total = torch.zeros((), device=real[0][0].device)
    for r, f in zip(real, fake, strict=True):
        for a, b in zip(r[:-1], f[:-1], strict=True):
            total = total + (a.detach().float() - b.float()).abs().mean()
    return total / len(real)


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
