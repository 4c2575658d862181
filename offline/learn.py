"""Train a generator on a dataset.

    python -m offline.learn DATASET --run RUN          starts, or goes on where RUN stopped
    python -m offline.learn DATASET --run RUN --minutes 60
    python -m offline.learn DATASET --run RUN --init OTHER_RUN     starts from what another run, or a target
                                                                   NAME.onnx, has learned
    python -m offline.learn DATASET --run RUN --config FILE        with the numbers of a config.json, edited
    torchrun --nproc-per-node N -m offline.learn … --batch M       on several GPUs or machines

RUN gets ``checkpoint.pt`` (everything needed to go on), ``config.json`` (the profile's numbers), videos
in ``samples/``, and what ``tensorboard --logdir RUN`` shows. Ctrl-C, or ``kill``, saves and stops.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from face.errors import UserError
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.flow.stored_flows import store_flows
from offline.training.config import read_config
from offline.training.distributed import Ranks
from offline.training.loader import needed_strides
from offline.training.loop import SAMPLE_EVERY, learn
from offline.training.perceptual import load_perceptual
from offline.training.profiles import COMPACT, PROFILES, Profile
from offline.training.trainer import Precision, Trainer


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of training, for this command and ``offline.train``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--profile", choices=sorted(PROFILES), help="(default compact, or the run's own)")
    what.add_argument("--config", type=Path, metavar="FILE", help="a run's config.json, edited; a weight of 0 leaves a "
                                                                  "loss out")  # fmt: skip
    parser.add_argument("--init", type=Path, metavar="RUN", help="to start from: another run, its checkpoint.pt, or a "
                                                                "target NAME.onnx")  # fmt: skip
    parser.add_argument("--minutes", type=float, help="stop training after this long (default: the schedule's end)")
    parser.add_argument("--sample-every", type=int, default=SAMPLE_EVERY, metavar="N", help="steps between samples of "
                        f"held-out takes (default {SAMPLE_EVERY})")  # fmt: skip
    parser.add_argument("--perceptual-weights", type=Path, metavar="NPZ", help="VGG16 trunk (default: VGG19, fetched)")
    parser.add_argument(
        "--precision", choices=[p.value for p in Precision],
        help="of the features (default: fp32 on a CPU, bf16 on a GPU that has it, else fp16)",
    )  # fmt: skip
    parser.add_argument("--batch", type=int, default=1, help="sequences of a step, over all processes (default 1)")
    parser.add_argument("--threads", type=int, help="CPU threads")


def chosen_profile(run: Path, arguments: argparse.Namespace) -> Profile:
    """What to train: as the command line says, else as the run was begun, else the compact profile.

    Raises:
        UserError: the configuration cannot be read.
    """
    if arguments.config:
        return read_config(arguments.config)
    if arguments.profile is None and (run / "config.json").exists():
        return read_config(run / "config.json")
    return PROFILES[arguments.profile or COMPACT.name]


def _chosen_precision(given: str | None, device: torch.device) -> Precision:
    if given:
        return Precision(given)
    if device.type != "cuda":
        return Precision.FP32
    return Precision.BF16 if torch.cuda.is_bf16_supported() else Precision.FP16


def learn_with_options(people: Sequence[Dataset], run: Path, arguments: argparse.Namespace, ranks: Ranks) -> None:
    """Train with what ``add_options`` took from the command line.

    Raises:
        UserError: see ``Trainer`` and ``learn``; or the batch does not share out among the processes.
    """
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.batch % ranks.count:
        raise UserError(f"--batch {arguments.batch} does not share out evenly among {ranks.count} processes.")
    profile = chosen_profile(run, arguments)
    if ranks.device.type == "cuda":  # which would wait for them
        if ranks.first:
            for dataset in people:
                store_flows(dataset, profile.flow, needed_strides(profile))
        ranks.wait()
    begun = profile.perceptual if (run / "checkpoint.pt").exists() else None
    perceptual = load_perceptual(arguments.perceptual_weights, begun)
    precision = _chosen_precision(arguments.precision, ranks.device)
    learn(Trainer(people, run, profile, perceptual, ranks, arguments.batch, precision, arguments.init),
          arguments.minutes, arguments.sample_every)  # fmt: skip


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
    model = MorphableModel.load()
    with Ranks.join() as ranks:
        learn_with_options([Dataset(folder, model) for folder in arguments.datasets], arguments.run, arguments, ranks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
