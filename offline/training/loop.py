"""The training loop: steps until the schedule or the time ends, with checkpoints, samples and a log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch
from filelock import FileLock, Timeout
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from face.errors import UserError
from face.video import VideoWriter
from offline.export.options import TargetLabels
from offline.training.options import SAMPLE_EVERY
from offline.training.preview import Preview
from offline.training.trainer import Trainer

IN_TRAINING = TargetLabels("preview", "In training", "a person in training")
_SAVE_SECONDS = 120
_LOG_EVERY = 20  # steps
_SHEET_EVERY = 12  # frames of a roll-out between two on the sheet


def learn(
    trainer: Trainer, minutes: float | None, sample_every: int = SAMPLE_EVERY, labels: TargetLabels = IN_TRAINING
) -> None:
    """Train to the end of the schedule or for some minutes, saving and sampling on the way, and when interrupted.

    Args:
        trainer: what is trained.
        minutes: how long at most.
        sample_every: steps between two roll-outs over the held-out takes.
        labels: of the target that shows how far the training is.

    Raises:
        UserError: the GPU's memory does not suffice, a loss is not finite, or another process trains this run.
    """
    if trainer.step >= trainer.last_step:
        if trainer.ranks.first:
            print(f"{trainer.run} is up to date.")
        return
    deadline = time.monotonic() + minutes * 60 if minutes else float("inf")
    with _locked(trainer):
        try:
            _loop(trainer, deadline, sample_every, labels)
        except torch.OutOfMemoryError:
            raise UserError(
                "The GPU's memory does not suffice: lower --batch, or reconstruct with a smaller --size."
            ) from None
        except KeyboardInterrupt:
            trainer.save()
            raise
        trainer.save()


@contextlib.contextmanager
def _locked(trainer: Trainer) -> Iterator[None]:
    """No other process trains this run meanwhile: two would write over each other's checkpoints."""
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


def _loop(trainer: Trainer, deadline: float, sample_every: int, labels: TargetLabels) -> None:
    saved = time.monotonic()
    means: dict[str, float] = {}
    speed = Speed(trainer)
    log = SummaryWriter(str(trainer.run)) if trainer.ranks.first else None
    preview = Preview(trainer, labels)
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
            preview.renew()
            if trainer.step % _LOG_EVERY == 0:
                for name, value in means.items():
                    log.add_scalar(f"training/{name}", value, trainer.step)
                for name, value in speed.figures().items():
                    log.add_scalar(f"speed/{name}", value, trainer.step)
            if trainer.step % sample_every == 0:
                bar.write(_sample(trainer, log))
        if log is not None and trainer.step % sample_every:
            bar.write(_sample(trainer, log))  # where training stops
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
        values = {
            "sequences/s": (trainer.step - self._step) * trainer.loader.size / self._took_s,
            "frames/s": (trainer.frames - self._frames) / self._took_s,
            "waiting for data, %": 100 * (trainer.loader.waited_s - self._waited_s) / self._took_s,
        }
        if trainer.device.type == "cuda":
            values["GPU memory, MB"] = torch.cuda.max_memory_allocated() / 1e6
        return values


def _sample(trainer: Trainer, log: SummaryWriter) -> str:
    """Roll out on the held-out takes: a video and a sheet of samples, and the APD, which is logged and said."""
    frames, apd = trainer.sample()
    log.add_scalar("held out/APD", apd, trainer.step)
    log.add_image("held out", frames[::_SHEET_EVERY].reshape(-1, *frames.shape[2:]), trainer.step, dataformats="HWC")
    samples = trainer.run / "samples"
    samples.mkdir(exist_ok=True)
    with VideoWriter(samples / f"{trainer.step:06d}.mp4", float(trainer.people[0].manifest["rate"])) as video:
        for image in frames:
            video.write(image)
    return f"sequence {trainer.step}: held-out APD {apd:.2f}"
