"""``mouth``, the paper's Table I b: what the mouth discriminator D_M is good for."""

from __future__ import annotations

from dataclasses import replace

from offline.experiments.comparison import Measure, compare
from offline.experiments.scales import reweighted
from offline.experiments.scores import APD, MOUTH_APD, teeth_frames
from offline.experiments.setup import Setup
from offline.experiments.tables import Table
from offline.experiments.training import Variant


def run(setup: Setup) -> list[Table]:
    """APD with D_M and without, in the box about the mouth, and there on frames that show teeth."""
    profile = setup.scale.profile
    variants = [
        Variant("without D_M", reweighted(profile, lambda weights: replace(weights, mouth=0.0))),
        Variant("with D_M", reweighted(profile, lambda weights: replace(weights, mouth=weights.image))),
    ]
    measures = [
        Measure("mouth APD", MOUTH_APD),
        Measure("mouth APD, teeth", MOUTH_APD, lambda subject: teeth_frames(setup.model, subject)),
        Measure("APD", APD),
    ]
    return [compare(setup, "mouth", variants, measures)]
