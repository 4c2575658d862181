"""``flow``, the paper's Table I a: whose optical flow the dynamics discriminators D_D see."""

from __future__ import annotations

from dataclasses import replace

from offline.experiments.comparison import Measure, compare
from offline.experiments.scales import reweighted
from offline.experiments.scores import APD, WARPING, fast_frames
from offline.experiments.setup import Setup
from offline.experiments.tables import Table
from offline.experiments.training import Variant
from offline.flow.optical_flow import FlowKind

# DIS stands for the paper's FlowNet2, the mesh and the learned network for its face flow.
_NAMES = {FlowKind.DIS: "DIS", FlowKind.MESH: "mesh", FlowKind.LEARNED: "learned"}


def run(setup: Setup) -> list[Table]:
    """APD and warping error with each flow, on all frames and on those of fast motion."""
    profile = reweighted(setup.scale.profile, lambda weights: replace(weights, dynamics=weights.image))
    variants = [Variant(name, replace(profile, flow=kind)) for kind, name in _NAMES.items()]
    measures = [
        Measure("APD", APD),
        Measure("APD, fast", APD, fast_frames),
        Measure("warping error", WARPING),
        Measure("warping error, fast", WARPING, fast_frames),
    ]
    return [compare(setup, "flow", variants, measures)]
