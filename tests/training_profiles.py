"""Profiles that train within seconds."""

from __future__ import annotations

from dataclasses import replace

from offline.networks.paper_generator import PaperGenerator
from offline.training.profiles import PAPER, Phase

SMALL_PAPER = replace(PAPER, generator=lambda size: PaperGenerator(size, width=8), discriminator_width=8)


def profile(base, *phases):
    """A profile with other phases, each ``(until, length, weights)``, at a rate of 1e-4."""
    return replace(base, phases=tuple(Phase(until=u, length=n, rate=1e-4, weights=w) for u, n, w in phases))
