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
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from face.errors import UserError
from face.morphable import MorphableModel
from face.video import VideoWriter
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.flow.stored_flows import store_flows
from offline.training.config import read_config
from offline.training.distributed import Ranks
from offline.training.loader import needed_strides
from offline.training.perceptual import load_perceptual
from offline.training.profiles import COMPACT, PROFILES, Profile
from offline.training.trainer import Precision, Trainer

_SAVE_SECONDS = 120
_SAMPLE_EVERY, _LOG_EVERY = 500, 20  # steps
_SHEET_EVERY = 12  # frames of a roll-out between two on the sheet


def learn(trainer: Trainer, minutes: float | None, sample_every: int = _SAMPLE_EVERY) -> None:
    """Train to the end of the schedule or for some minutes, saving and sampling on the way, and when interrupted.

    Raises:
        UserError: the GPU's memory does not suffice, the loss is no number any more, or somebody else trains this run.
    """
    if trainer.step >= trainer.last_step:
        if trainer.ranks.first:
            print(f"{trainer.run} is up to date.")
        return
    deadline = time.monotonic() + minutes * 60 if minutes else float("inf")
    with _alone(trainer):
        try:
            _learn(trainer, deadline, sample_every)
        except torch.OutOfMemoryError:
            raise UserError(
                "The GPU's memory does not suffice: lower --batch, or reconstruct with a smaller --size."
            ) from None
        except KeyboardInterrupt:
            trainer.save()
            raise
        trainer.save()


@contextlib.contextmanager
def _alone(trainer: Trainer) -> Iterator[None]:
    """Nobody else trains this run meanwhile; two would write over each other's checkpoints."""
    if not trainer.ranks.first:
        yield
        return
    lock = FileLock(trainer.run / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{trainer.run} is being trained by another process: wait for it, or stop it.") from None
    try:
        yield
    finally:
        lock.release()


def _learn(trainer: Trainer, deadline: float, sample_every: int) -> None:
    saved = time.monotonic()
    means: dict[str, float] = {}
    speed = Speed(trainer)
    log = SummaryWriter(str(trainer.run)) if trainer.ranks.first else None
    with tqdm(total=trainer.last_step, initial=trainer.step, desc="training", unit="sequence", mininterval=5,
              disable=log is None) as bar:  # fmt: skip
        # All processes stop together: one that went on alone would wait for the others for ever.
        while trainer.step < trainer.last_step and not trainer.ranks.any(time.monotonic() >= deadline):
            with speed.measured():
                losses = trainer.train_step()
            for name, value in losses.items():
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
                for name, value in speed.figures().items():
                    log.add_scalar(f"speed/{name}", value, trainer.step)
            if trainer.step % sample_every == 0:
                bar.write(_show(trainer, log))
        if log is not None and trainer.step % sample_every:
            bar.write(_show(trainer, log))  # where training stops
    if log is not None:
        log.close()
        print(", ".join(f"{name} {value:.2f}" for name, value in speed.figures().items()))


class Speed:
    """How fast steps are, from now on; samples and checkpoints do not count.

    Args:
        trainer: who trains.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._took_s = trainer, 1e-9
        self._step, self._frames, self._waited_s = trainer.step, trainer.frames, trainer.loader.waited_s

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Counts the time of a step."""
        begin = time.perf_counter()
        yield
        self._took_s += time.perf_counter() - begin

    def figures(self) -> dict[str, float]:
        """Sequences and frames a second over all processes, share of the time spent waiting for data, GPU memory."""
        trainer = self._trainer
        found = {
            "sequences/s": (trainer.step - self._step) * trainer.loader.size / self._took_s,
            "frames/s": (trainer.frames - self._frames) / self._took_s,
            "waiting for data, %": 100 * (trainer.loader.waited_s - self._waited_s) / self._took_s,
        }
        if trainer.device.type == "cuda":
            found["GPU memory, MB"] = torch.cuda.max_memory_allocated() / 1e6
        return found


def _show(trainer: Trainer, log: SummaryWriter) -> str:
    """Roll out on the held-out takes: a video and a sheet of samples, and the APD, which is logged and said."""
    shown, apd = trainer.sample()
    log.add_scalar("held out/APD", apd, trainer.step)
    log.add_image("held out", shown[::_SHEET_EVERY].reshape(-1, *shown.shape[2:]), trainer.step, dataformats="HWC")
    samples = trainer.run / "samples"
    samples.mkdir(exist_ok=True)
    with VideoWriter(samples / f"{trainer.step:06d}.mp4", float(trainer.people[0].manifest["rate"])) as video:
        for picture in shown:
            video.write(picture)
    return f"sequence {trainer.step}: held-out APD {apd:.2f}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of training, for this command and ``offline.train``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--profile", choices=sorted(PROFILES), help="(default compact, or the run's own)")
    what.add_argument("--config", type=Path, metavar="FILE", help="a run's config.json, edited; a weight of 0 leaves a "
                                                                  "loss out")  # fmt: skip
    parser.add_argument("--init", type=Path, metavar="RUN", help="to start from: another run, its checkpoint.pt, or a "
                                                                "target NAME.onnx")  # fmt: skip
    parser.add_argument("--minutes", type=float, help="stop training after this long (default: the schedule's end)")
    parser.add_argument("--sample-every", type=int, default=_SAMPLE_EVERY, metavar="N", help="steps between samples of "
                        f"held-out takes (default {_SAMPLE_EVERY})")  # fmt: skip
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
