"""From videos of a person to a target: reconstruct, train, export, evaluate.

    python -m offline.train VIDEO [VIDEO …] --name NAME --provenance TEXT [--profile paper] [--out DIR]
    torchrun --nproc-per-node N -m offline.train … --batch M      on several GPUs or machines

DIR (default runs/NAME) gets ``dataset/``, ``run/`` and ``report/``; the target goes to ``trt_engines/``. What is done
and up to date is not done again: the same command goes on after an interruption. Each step is a command of its own:
``offline.reconstruct``, ``offline.learn``, ``offline.export``, ``offline.evaluate``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from face.morphable import MorphableModel
from offline import learn
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.evaluate import evaluation as evaluate
from offline.export import target_export as export
from offline.reconstruct import reconstruction as reconstruct
from offline.training.distributed import Ranks
from trt_engines.folders import new_target_folder


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of all that follows on a dataset, for this command and ``offline.distill``."""
    learn.add_options(parser)
    export.add_options(parser)
    evaluate.add_options(parser)
    parser.add_argument("--out", type=Path, help="folder for dataset, run and report (default runs/NAME)")
    parser.add_argument(
        "--targets", type=Path, default=new_target_folder(), help="folder for the target (default %(default)s)"
    )


def make_target(model: MorphableModel, folder: Path, arguments: argparse.Namespace, ranks: Ranks) -> None:
    """Train on ``folder/dataset``, export and evaluate, with what ``add_options`` took from the command line."""
    dataset = Dataset(folder / "dataset", model)
    learn.learn_with_options([dataset], folder / "run", arguments, ranks)
    if ranks.first:
        target = export.export_with_options(dataset, folder / "run", arguments.targets, arguments)
        evaluate.evaluate(model, dataset, target, folder / "report", evaluate.judges_of(arguments))


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.train", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    reconstruct.add_options(parser)
    add_options(parser)
    arguments = parser.parse_args()
    export.need_names(arguments)
    folder = arguments.out or Path("runs") / arguments.name
    model = MorphableModel.load()
    with Ranks.join() as ranks:
        if ranks.first:
            reconstruct.reconstruct(
                folder / "dataset", arguments.videos, arguments.held_out, arguments.size, arguments.rate
            )
        ranks.wait()
        make_target(model, folder, arguments, ranks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
