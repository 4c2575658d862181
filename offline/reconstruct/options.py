"""Options of the reconstruction, for ``offline.reconstruct`` and ``offline.train``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from offline.reconstruct.checked_tracking import RATE


@dataclass(frozen=True)
class ReconstructionOptions:
    """Videos of a person, and what dataset to make of them.

    Attributes:
        videos: to train on.
        held_out: to test on; if there are none, the last third of every video.
        size: height and width of the crop in px.
        rate: frames a second that the videos are brought to.
        teeth: draw teeth and tongue in the conditioning.
    """

    videos: list[Path]
    held_out: list[Path] = field(default_factory=list)
    size: int = 256
    rate: float = RATE
    teeth: bool = True


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options by the names of ``ReconstructionOptions``."""
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="videos of the person")
    footage = parser.add_argument_group("footage")
    footage.add_argument(
        "--held-out", type=Path, action="append", default=[], metavar="VIDEO",
        help="video to test on, never trained on (default: the last third of every video)",
    )  # fmt: skip
    footage.add_argument(
        "--size", type=int, default=256, metavar="PX", help="height and width of the crop in px (default 256)"
    )
    footage.add_argument("--rate", type=float, default=RATE, metavar="FPS",
                         help="frames a second that footage is brought to (default 25, as the loop plays)")  # fmt: skip
    add_teeth_option(footage)


def add_teeth_option(options: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option that leaves teeth out, as ``teeth``."""
    options.add_argument("--no-teeth", dest="teeth", action="store_false",
                         help="leave the mouth black in the conditioning, in training and live")  # fmt: skip
