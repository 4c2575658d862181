"""Train a generator on a dataset.

    python -m offline.learn DATASET --run RUN          starts, or goes on where RUN stopped
    python -m offline.learn DATASET --run RUN --minutes 60
    python -m offline.learn DATASET --run RUN --init OTHER_RUN     starts from what another run, or a target
                                                                   NAME.onnx, has learned
    python -m offline.learn DATASET --run RUN --config FILE        with the numbers of a config.json, edited
    torchrun --nproc-per-node N -m offline.learn … --batch M       on several GPUs or machines

RUN gets ``checkpoint.pt`` (everything needed to go on), ``config.json`` (the profile's numbers), videos
in ``samples/``, and what ``tensorboard --logdir RUN`` shows. ``preview.png``, and for the compact profile a target
``preview.onnx``, follow the training every minute: ``run_live.py --target RUN`` plays it. Ctrl-C, or ``kill``, saves
and stops.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from face.errors import UserError
from face.files import check_output_folder
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.export.options import TargetLabels
from offline.flow.stored_flows import store_flows
from offline.options import options_of
from offline.training import checkpoint
from offline.training.config import read_config
from offline.training.distributed import Ranks
from offline.training.loader import needed_strides
from offline.training.loop import IN_TRAINING, learn
from offline.training.options import TrainingOptions, add_options
from offline.training.perceptual_loss import PerceptualKind, load_perceptual
from offline.training.precision import Precision
from offline.training.profiles import COMPACT, PROFILES, Profile
from offline.training.trainer import Trainer


def chosen_profile(run: Path, options: TrainingOptions) -> Profile:
    """What to train: as the options say, else as the run was begun, else the compact profile.

    Raises:
        UserError: the configuration cannot be read.
    """
    if options.config:
        return read_config(options.config)
    if options.profile is None and (run / "config.json").exists():
        return read_config(run / "config.json")
    return PROFILES[options.profile or COMPACT.name]


def begun_with(run: Path) -> PerceptualKind | None:
    """The perceptual loss that a run was begun with: its own ``config.json`` says so, whatever it goes on with.

    Raises:
        UserError: the configuration cannot be read.
    """
    return read_config(run / "config.json").perceptual if (run / checkpoint.NAME).exists() else None


def learn_with_options(
    people: Sequence[Dataset], run: Path, options: TrainingOptions, ranks: Ranks, labels: TargetLabels = IN_TRAINING
) -> None:
    """Train as the options say.

    Args:
        people: whom to learn from.
        run: folder of the run.
        options: how to train.
        ranks: the processes that do.
        labels: of the target that shows how far the training is.

    Raises:
        UserError: see ``Trainer`` and ``learn``; or the batch does not share out among the processes.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.batch % ranks.count:
        raise UserError(f"--batch {options.batch} does not share out evenly among {ranks.count} processes.")
    profile = chosen_profile(run, options)
    for dataset in people if ranks.first else ():
        if "teeth" not in dataset.manifest:
            print(f"{dataset.folder} is older than teeth in the conditioning: 'python -m offline.redraw' draws them.")
    if ranks.device.type == "cuda":  # which would wait for them
        if ranks.first:
            for dataset in people:
                store_flows(dataset, profile.flow, needed_strides(profile))
        ranks.wait()
    perceptual = load_perceptual(options.perceptual_weights, begun_with(run))
    precision = options.precision or Precision.default(ranks.device)
    trainer = Trainer(people, run, profile, perceptual, ranks, options.batch, precision, options.init)
    learn(trainer, options.minutes, options.sample_every, labels)


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.learn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("datasets", type=Path, nargs="+", metavar="DATASET",
                        help="folder written by offline.reconstruct; several people train one network")  # fmt: skip
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; resumed if it exists")
    add_options(parser)
    arguments = parser.parse_args()
    check_output_folder(arguments.run)
    model = MorphableModel.load()
    with Ranks.join() as ranks:
        people = [Dataset(folder, model) for folder in arguments.datasets]
        learn_with_options(people, arguments.run, options_of(TrainingOptions, arguments), ranks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
