"""The paper's experiments, a command each.

    python -m offline.experiments ROW --people DATASET --people DATASET … --out DIR [--profile small] [--seeds 2]
    python -m offline.experiments all --people … --out DIR          every row
    python -m offline.experiments all --out DIR --smoke             toy sizes: does everything run?
    python -m offline.experiments study --people … --out DIR --serve        the page on which people rate clips

A person is a dataset of ``offline.reconstruct``, or ``painted:SEED``, a rendered one whose truth is known. DIR/ROW gets
tables (``.md``, ``.csv``) and figures; DIR/runs the trained networks, which the rows share. What is there is not
computed twice: the same command goes on after an interruption. ``docs/experiments.md`` says what each row needs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from face.files import check_output_folder
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.evaluate.identity import FaceRecognizer
from offline.experiments.registry import ROWS
from offline.experiments.scales import SCALES, SMOKE
from offline.experiments.setup import Setup
from offline.experiments.study import row as study
from offline.experiments.subjects import PaintedFilm, open_subject
from offline.options import options_of
from offline.training.distributed import Ranks

_ALL = "all"
_SMOKE_PEOPLE, _SMOKE_FILM = ("painted:7", "painted:11"), PaintedFilm(frames=27, size=64)


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions:
    """Options of all rows.

    Attributes:
        row: name of an experiment, or ``all``.
        people: descriptions of the people.
        out: folder of the results.
        profile: name of a scale.
        seeds: trainings of each network.
        sequences: of each training.
        frames: held-out frames of each person at most.
        painted_frames, size: of painted people.
        perceptual_weights, identity_weights: files of networks that others trained.
        smoke: toy sizes.
        serve: show the rating page instead of computing tables.
        host, port: where.
    """

    row: str
    people: list[str]
    out: Path
    profile: str
    seeds: int
    sequences: int | None
    frames: int
    painted_frames: int
    size: int
    perceptual_weights: Path | None
    identity_weights: Path | None
    smoke: bool
    serve: bool
    host: str
    port: int

    def setup(self, ranks: Ranks) -> Setup:
        """The experiment that the options describe.

        Raises:
            UserError: a person or a file is missing.
        """
        model = MorphableModel.load()
        film = _SMOKE_FILM if self.smoke else PaintedFilm(self.painted_frames, self.size)
        people = self.people or list(_SMOKE_PEOPLE)
        folder = self.out / "people"
        return Setup(
            model=model,
            subjects=[open_subject(model, person, folder, film, self.frames) for person in people],
            out=self.out,
            scale=SMOKE if self.smoke else SCALES[self.profile],
            seeds=self.seeds,
            sequences=None if self.smoke else self.sequences,
            ranks=ranks,
            perceptual_weights=self.perceptual_weights,
            recognizer=FaceRecognizer(self.identity_weights) if self.identity_weights else None,
            smoke=self.smoke,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m offline.experiments", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("row", choices=[*ROWS, _ALL], help="which experiment")
    parser.add_argument("--people", action="append", default=[], metavar="DATASET", help="a person; give it for each")
    parser.add_argument("--out", type=Path, required=True, help="folder of all experiments")
    parser.add_argument("--profile", choices=list(SCALES), default="small",
                        help="the paper's networks, narrow ones, or the compact one (default small)")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each network (default 2)")
    parser.add_argument("--sequences", type=int, help="of each training (default: the profile's schedule)")
    parser.add_argument("--frames", type=int, default=1000, help="held-out frames of each person (default 1000)")
    parser.add_argument("--painted-frames", type=int, default=1500, help="of a painted person (default 1500)")
    parser.add_argument("--size", type=int, default=256, help="of painted people's images in px (default 256)")
    parser.add_argument("--perceptual-weights", type=Path, metavar="NPZ", help="VGG16 trunk (default: VGG19, fetched)")
    parser.add_argument("--identity-weights", type=Path, metavar="ONNX", help="a face recognizer (ArcFace's crops)")
    parser.add_argument("--smoke", action="store_true", help="toy sizes, painted people: does everything run?")
    parser.add_argument("--serve", action="store_true", help="with study: show the page on which people rate clips")
    parser.add_argument("--host", default="127.0.0.1", help="of that page (default 127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=int, default=8090, help="of that page (default 8090)")
    return parser


@one_sentence
def main() -> int:
    """Command line."""
    parser = _parser()
    arguments = parser.parse_args()
    if not arguments.people and not arguments.smoke:
        parser.error("give --people, a dataset of offline.reconstruct or painted:SEED, once for each person")
    if arguments.seeds < 1:
        parser.error("--seeds takes 1 at least")
    if arguments.serve and arguments.row != study.NAME:
        parser.error("--serve goes with the row study")
    options = options_of(ExperimentOptions, arguments)
    check_output_folder(options.out)
    setup = options.setup(Ranks(device=_device()))
    if options.serve:
        study.serve(setup, options.host, options.port)
        return 0
    for name in ROWS if options.row == _ALL else [options.row]:
        for table in ROWS[name].run(setup):
            table.write(setup.folder(name))
            print(table.markdown())
    return 0


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    sys.exit(main())
