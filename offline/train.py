r"""From videos of a person to a target: reconstruct, train, export, evaluate.

    python -m offline.train VIDEO [VIDEO …] --name NAME --provenance TEXT --footage TEXT --permission TEXT \
        --permitted-by NAME [--profile paper] [--out DIR]
    torchrun --nproc-per-node N -m offline.train … --batch M      on several GPUs or machines

DIR (default runs/NAME) gets ``dataset/``, ``run/`` and ``report/``; the target goes to ``trt_engines/``. What is done
and up to date is not done again: the same command goes on after an interruption. Each step is a command of its own:
``offline.reconstruct``, ``offline.learn``, ``offline.export``, ``offline.evaluate``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from face.files import check_output_folder
from face.morphable import MorphableModel
from face.target import TargetInfo
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.evaluate import options as evaluation_options
from offline.evaluate.evaluation import evaluate
from offline.evaluate.options import EvaluationOptions
from offline.export import options as export_options
from offline.export.options import TargetLabels, target_labels
from offline.export.target_export import export
from offline.learn import learn_with_options
from offline.options import options_of
from offline.reconstruct import options as reconstruction_options
from offline.reconstruct.options import ReconstructionOptions
from offline.reconstruct.reconstruction import reconstruct
from offline.training import options as training_options
from offline.training.distributed import Ranks
from offline.training.options import TrainingOptions
from trt_engines.folders import new_target_folder


@dataclass(frozen=True)
class TargetOptions:
    """What becomes of a dataset: training, target and report.

    Attributes:
        training, evaluation: options of those steps.
        labels: of the target.
        targets: folder for it.
        folder: for dataset, run and report.
    """

    training: TrainingOptions
    evaluation: EvaluationOptions
    labels: TargetLabels
    targets: Path
    folder: Path

    @staticmethod
    def of(parsed: argparse.Namespace, teacher: TargetInfo | None = None) -> TargetOptions:
        """What ``add_options`` took from the command line, with a teacher's labels for those that it leaves out.

        Raises:
            UserError: the target has no name, or no record of consent, or one of the folders cannot be written to.
        """
        labels = target_labels(parsed, teacher)
        folder = parsed.out or Path("runs") / labels.name
        check_output_folder(folder)
        check_output_folder(parsed.targets)
        training, evaluation = options_of(TrainingOptions, parsed), options_of(EvaluationOptions, parsed)
        return TargetOptions(training, evaluation, labels, parsed.targets, folder)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of all that follows on a dataset, for this command and ``offline.distill``."""
    export_options.add_options(parser)
    training_options.add_options(parser)
    evaluation_options.add_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for dataset, run and report (default runs/NAME)"
    )
    output.add_argument(
        "--targets", type=Path, metavar="DIR", default=new_target_folder(),
        help="folder for the target (default %(default)s)",
    )  # fmt: skip


def make_target(model: MorphableModel, options: TargetOptions, ranks: Ranks) -> None:
    """Train on the folder's ``dataset``, export and evaluate."""
    folder = options.folder
    dataset = Dataset(folder / "dataset", model)
    learn_with_options([dataset], folder / "run", options.training, ranks, options.labels)
    if ranks.first:
        target = export(dataset, folder / "run", options.labels, options.targets)
        evaluate(model, dataset, target, folder / "report", options.evaluation.load())


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.train", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    reconstruction_options.add_options(parser)
    add_options(parser)
    arguments = parser.parse_args()
    options = TargetOptions.of(arguments)
    model = MorphableModel.load()
    with Ranks.join() as ranks:
        if ranks.first:
            reconstruct(options.folder / "dataset", options_of(ReconstructionOptions, arguments))
        ranks.wait()
        make_target(model, options, ranks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
