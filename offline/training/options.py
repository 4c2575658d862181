"""Options of training, for ``offline.learn`` and the commands that train on the way."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from offline.training.precision import Precision
from offline.training.profiles import PROFILES

SAMPLE_EVERY = 500  # steps


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What to train and how; ``None`` leaves the choice to the program.

    Attributes:
        profile: name of a profile.
        config: a run's ``config.json``, edited; it takes the place of a profile.
        init: run, checkpoint or target whose network a new run starts from.
        minutes: when to stop.
        sample_every: steps between samples of held-out takes.
        perceptual_weights: npz of a VGG16 trunk.
        precision: of the features.
        batch: sequences of a step, over all processes.
        threads: of the CPU.
    """

    profile: str | None = None
    config: Path | None = None
    init: Path | None = None
    minutes: float | None = None
    sample_every: int = SAMPLE_EVERY
    perceptual_weights: Path | None = None
    precision: Precision | None = None
    batch: int = 1
    threads: int | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options by the names of ``TrainingOptions``."""
    group = parser.add_argument_group("training")
    profile = group.add_mutually_exclusive_group()
    profile.add_argument("--profile", choices=sorted(PROFILES), help="(default compact, or the run's own)")
    profile.add_argument("--config", type=Path, metavar="FILE", help="a run's config.json, edited; a weight of 0 "
                                                                     "leaves a loss out")  # fmt: skip
    group.add_argument("--init", type=Path, metavar="RUN", help="to start from: another run, its checkpoint.pt, or a "
                                                               "target NAME.onnx")  # fmt: skip
    group.add_argument(
        "--minutes", type=float, metavar="N", help="stop training after this long (default: the schedule's end)"
    )
    group.add_argument("--sample-every", type=int, default=SAMPLE_EVERY, metavar="N", help="steps between samples of "
                       f"held-out takes (default {SAMPLE_EVERY})")  # fmt: skip
    group.add_argument("--perceptual-weights", type=Path, metavar="NPZ", help="VGG16 trunk (default: VGG19, fetched)")
    group.add_argument(
        "--precision", choices=list(Precision), type=Precision,
        help="of the features (default: fp32 on a CPU, bf16 on a GPU that has it, else fp16)",
    )  # fmt: skip
    group.add_argument(
        "--batch", type=int, default=1, metavar="N", help="sequences of a step, over all processes (default 1)"
    )
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads")
