"""Train a generator on a dataset.

    python -m offline.learn DATASET --run RUN          starts, or goes on where RUN stopped
    python -m offline.learn DATASET --run RUN --minutes 60
    python -m offline.learn DATASET --run RUN --init OTHER_RUN     starts from what another run has learned
    torchrun --nproc-per-node N -m offline.learn … --batch M       on several GPUs or machines

RUN gets ``checkpoint.pt`` (everything needed to go on), videos in ``samples/``, and what ``tensorboard --logdir RUN``
shows. Ctrl-C saves and stops.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from face.errors import FaceError
from face.morphable import MorphableModel
from face.video import VideoWriter
from offline.command import one_sentence
from offline.dataset import Dataset
from offline.perceptual import load_perceptual
from offline.profiles import COMPACT, PROFILES
from offline.ranks import Ranks
from offline.trainer import Trainer

_SAVE_SECONDS = 120
_SAMPLE_EVERY, _LOG_EVERY = 500, 20  # steps
_SHEET_EVERY = 12  # frames of a roll-out between two on the sheet


def learn(trainer: Trainer, minutes: float | None) -> None:
    """Train to the end of the schedule or for some minutes, saving and sampling on the way, and when interrupted.

    Raises:
        FaceError: the GPU's memory does not suffice, or the loss is no number any more.
    """
    deadline = time.monotonic() + minutes * 60 if minutes else float("inf")
    try:
        _learn(trainer, deadline)
    except torch.OutOfMemoryError:
        raise FaceError("The GPU's memory does not suffice: reconstruct with a smaller --size.") from None
    except KeyboardInterrupt:
        trainer.save()
        raise
    trainer.save()


def _learn(trainer: Trainer, deadline: float) -> None:
    saved = time.monotonic()
    means: dict[str, float] = {}
    log = SummaryWriter(str(trainer.run)) if trainer.ranks.first else None
    with tqdm(total=trainer.last_step, initial=trainer.step, desc="training", unit="sequence", mininterval=5,
              disable=log is None) as bar:  # fmt: skip
        # All processes stop together: one that went on alone would wait for the others for ever.
        while trainer.step < trainer.last_step and not trainer.ranks.any(time.monotonic() >= deadline):
            for name, value in trainer.train_step().items():
                means[name] = means.get(name, value) * 0.98 + value * 0.02
            bar.update()
            bar.set_postfix({k: f"{v:.4f}" for k, v in means.items() if k != "rate"}, refresh=False)
            if time.monotonic() - saved > _SAVE_SECONDS:
                trainer.save()
                saved = time.monotonic()
            if log is None:
                continue
            if trainer.step % _LOG_EVERY == 0:
                for name, value in means.items():
                    log.add_scalar(f"training/{name}", value, trainer.step)
            if trainer.step % _SAMPLE_EVERY == 0:
                bar.write(f"sequence {trainer.step}: held-out APD {_show(trainer, log):.2f}")
    if log is not None:
        log.close()


def _show(trainer: Trainer, log: SummaryWriter) -> float:
    """Roll out on the held-out takes: a video and a sheet of samples, and the APD, which is logged."""
    shown, apd = trainer.sample()
    log.add_scalar("held out/APD", apd, trainer.step)
    log.add_image("held out", shown[::_SHEET_EVERY].reshape(-1, *shown.shape[2:]), trainer.step, dataformats="HWC")
    samples = trainer.run / "samples"
    samples.mkdir(exist_ok=True)
    with VideoWriter(samples / f"{trainer.step:06d}.mp4", float(trainer.dataset.manifest["rate"])) as video:
        for picture in shown:
            video.write(picture)
    return apd


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of training, for this command and ``offline.train``."""
    parser.add_argument("--profile", choices=sorted(PROFILES), default=COMPACT.name, help="(default compact)")
    parser.add_argument("--init", type=Path, metavar="RUN", help="another run to start a new one from")
    parser.add_argument("--minutes", type=float, help="stop training after this long (default: the schedule's end)")
    parser.add_argument("--perceptual-weights", type=Path, metavar="NPZ", help="VGG16 trunk (default: VGG19, fetched)")
    parser.add_argument(
        "--bf16", action="store_true", help="compute in bfloat16: faster on GPUs and on processors with AVX512-BF16"
    )
    parser.add_argument("--batch", type=int, default=1, help="sequences of a step, over all processes (default 1)")
    parser.add_argument("--threads", type=int, help="CPU threads")


def learn_with_options(dataset: Dataset, run: Path, arguments: argparse.Namespace) -> None:
    """Train with what ``add_options`` took from the command line."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    perceptual = load_perceptual(arguments.perceptual_weights)
    profile = PROFILES[arguments.profile]
    with Ranks.join() as ranks:
        if arguments.batch % ranks.count:
            raise FaceError(f"--batch {arguments.batch} does not share out evenly among {ranks.count} processes.")
        trainer = Trainer(
            dataset, run, profile, perceptual, ranks, arguments.batch, arguments.bf16, arguments.init
        )  # fmt: skip
        learn(trainer, arguments.minutes)


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.learn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, help="folder written by offline.reconstruct")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; resumed if it exists")
    add_options(parser)
    arguments = parser.parse_args()
    learn_with_options(Dataset(arguments.dataset, MorphableModel.load()), arguments.run, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
