"""``pix2pix``, the paper's Fig. 4: the same generator frame by frame, without previous outputs and without D_D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from face.conditioning import CHANNELS
from face.recurrence import CONDITIONING_FRAMES
from offline.experiments.comparison import Measure, compare
from offline.experiments.scales import Scale, reweighted
from offline.experiments.scores import APD, WARPING
from offline.experiments.setup import Setup
from offline.experiments.tables import Table
from offline.experiments.training import Variant
from offline.networks.exported_step import NO_OUTPUT_VALUE
from offline.training.profiles import Generator


def _forget(generator: Generator) -> Generator:
    """The generator, seeing the newest conditioning only and no output."""
    generator.register_forward_pre_hook(_newest_only)
    return generator


def _newest_only(_: nn.Module, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    conditioning, previous = inputs
    newest = conditioning[:, -CHANNELS:].repeat(1, CONDITIONING_FRAMES, 1, 1)
    return newest, previous.new_full(previous.shape, NO_OUTPUT_VALUE)


def frame_by_frame(make: Callable[[int], Generator]) -> Callable[[int], Generator]:
    """Makes generators without a history."""
    return lambda size: _forget(make(size))


def pix2pix_variant(scale: Scale) -> Variant:
    """The baseline: conditioned on NMFC and gaze, D_I and D_M, no history."""
    profile = reweighted(scale.profile, lambda weights: replace(weights, dynamics=0.0, warping=0.0))
    return Variant("pix2pix", replace(profile, generator=frame_by_frame(profile.generator)), "frame-by-frame")


def run(setup: Setup) -> list[Table]:
    """APD and temporal warping error of both."""
    variants = [Variant("full", setup.scale.profile), pix2pix_variant(setup.scale)]
    measures = [Measure("APD", APD), Measure("warping error", WARPING)]
    return [compare(setup, "pix2pix", variants, measures)]
