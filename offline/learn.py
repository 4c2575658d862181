"""Train a generator on a dataset.

    python -m offline.learn DATASET --run RUN          starts, or goes on where RUN stopped
    python -m offline.learn DATASET --run RUN --minutes 60
    python -m offline.learn DATASET --run RUN --init OTHER_RUN     starts from what another run has learned

RUN gets ``checkpoint.pt`` (everything needed to go on), ``log.csv`` and ``samples/``. Ctrl-C saves and stops.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from face.errors import FaceError
from face.morphable import MorphableModel
from offline.adversaries import Adversaries, Scene, judged, learn_to_judge
from offline.atlas import remember
from offline.command import one_sentence
from offline.compact import CompactGenerator
from offline.dataset import Dataset, Sequence
from offline.losses import gradient_l1, weighted_l1
from offline.past import Past
from offline.perceptual import load_perceptual
from offline.profiles import COMPACT, PROFILES, Generator, Phase, Profile, Weights

EMA_DECAY = 0.998
_WARM_UP = 200
_FASTEST_JUDGE = 2e-4  # learning rate that the discriminators' never exceeds
_SAVE_SECONDS = 120
_SAMPLE_EVERY = 500
_SAVED = ("generator", "average", "adversaries", "g_optimizer", "d_optimizer")


class Trainer:
    """Networks, optimisers, position and random state of a run.

    Args:
        dataset: what to learn.
        run: folder of the run; a checkpoint in it is resumed exactly.
        profile: what to train, and how.
        perceptual: distance of pictures by a network's features; see ``offline/perceptual.py``.
        device: torch device.
        half: compute in bfloat16 where that does no harm; weights and losses stay float32.
        init: folder of another run whose generator a new run starts from.

    Raises:
        FaceError: ``init`` holds no checkpoint, or the checkpoint to go on with is of another profile or
            dataset.
    """

    def __init__(
        self, dataset: Dataset, run: Path, profile: Profile, perceptual: nn.Module, device: torch.device,
        half: bool = False, init: Path | None = None,
    ) -> None:  # fmt: skip
        self.dataset, self.run, self.profile, self.device, self.half = dataset, run, profile, device, half
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        torch.set_flush_denormal(True)  # moments of texels no longer seen fade into denormals, ten times as slow
        self.rng = np.random.default_rng(0)
        size = dataset.frames.shape[1]
        self.generator = _placed(profile.generator(size), device)
        self.average = _placed(profile.generator(size), device)
        self.adversaries = _placed(Adversaries(profile.discriminator_width), device)
        self.perceptual = perceptual.to(device)
        self.g_optimizer = torch.optim.Adam(
            _groups(self.generator), profile.first_rate, betas=profile.betas, fused=True
        )
        self.d_optimizer = torch.optim.Adam(self.adversaries.parameters(), _FASTEST_JUDGE, betas=(0.5, 0.999))
        self.step = 0
        if (run / "checkpoint.pt").exists():
            self._load()
        else:
            if init is not None:
                self.generator.load_state_dict(_learned(init))
            elif isinstance(self.generator, CompactGenerator):
                remember(self.generator, dataset)
            self.average.load_state_dict(self.generator.state_dict())

    @property
    def phase(self) -> tuple[Phase, float]:
        """The current phase and the generator's learning rate."""
        begin, rate = 0, self.profile.first_rate
        for phase in self.profile.phases:
            if self.step < phase.until:
                part = (self.step - begin) / (phase.until - begin)
                return phase, (rate + (phase.rate - rate) * part) * min(1.0, (self.step + 1) / _WARM_UP)
            begin, rate = phase.until, phase.rate
        return self.profile.phases[-1], self.profile.phases[-1].rate

    @property
    def last_step(self) -> int:
        """Where the schedule ends."""
        return self.profile.phases[-1].until

    def save(self) -> None:
        """Write the checkpoint, atomically."""
        state = {name: getattr(self, name).state_dict() for name in _SAVED}
        state |= {"step": self.step, "rng": self.rng.bit_generator.state, "torch_rng": torch.get_rng_state(),
                  "profile": self.profile.name, "dataset": self.dataset.fingerprint}  # fmt: skip
        partial = self.run / "checkpoint.pt.part"
        torch.save(state, partial)
        os.replace(partial, self.run / "checkpoint.pt")

    def _load(self) -> None:
        state = torch.load(self.run / "checkpoint.pt", map_location=self.device, weights_only=False)
        if state["profile"] != self.profile.name:
            raise FaceError(
                f"{self.run} trains the {state['profile']} profile: go on with --profile {state['profile']},"
                " or give another folder."
            )
        if state["dataset"] != self.dataset.fingerprint:
            raise FaceError(f"{self.run} learned from another dataset: give another folder, with --init {self.run}.")
        for name in _SAVED:
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"])

    def train_step(self) -> dict[str, float]:
        """Learn from one sequence, frame by frame.

        The generator rolls out on its own outputs; gradients go through one step, and each frame is learned from
        at once: neighbouring frames are so alike that adding their gradients up would waste them.
        """
        phase, rate = self.phase
        for group in self.g_optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        for group in self.d_optimizer.param_groups:
            group["lr"] = min(rate, _FASTEST_JUDGE)
        sequence = self.dataset.draw(self.rng, phase.length)
        x, y, w = _tensors(sequence, self.device)
        previous = self._start(y, x)
        past = Past(self.dataset, sequence.start, self.device)
        sums: dict[str, float] = {}
        count = len(y)
        for t in range(count):
            conditioning = x[t : t + 3].reshape(1, -1, *x.shape[2:])
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                output = self.generator(conditioning, previous).float()
                scene = Scene(
                    conditioning[:, -6:], output, y[t : t + 1], self._window(w[t : t + 1]),
                    (float(sequence.mouths[t, 0]), float(sequence.mouths[t, 1])),
                    past.motions(t) if phase.weights.dynamics else {},
                )  # fmt: skip
                losses = self._losses(phase.weights, scene, w[t : t + 1])
                if phase.weights.warping and t > 0:
                    losses["warping"] = phase.weights.warping * past.warping(t, output, y[t : t + 1])
            if losses:  # the dynamics discriminators alone say nothing about a sequence's first frames
                self._descend(sum(losses.values(), output.new_zeros(())))
            output = output.detach().clamp(-1, 1)
            previous = torch.cat([previous[:, 3:], output], 1)
            past.add(output, y[t : t + 1])
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item() / count
        with torch.no_grad():
            decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
            for slow, fast in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        self.step += 1
        return sums | {"rate": rate}

    def _descend(self, total: Tensor) -> None:
        if not torch.isfinite(total):
            raise FaceError(f"The loss is not finite at sequence {self.step}: lower the learning rate and resume.")
        self.g_optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.g_optimizer.step()

    def _start(self, y: Tensor, x: Tensor) -> Tensor:
        """Previous outputs [1, 6, H, W] before the first frame: none, or the averaged generator's own."""
        zeros = torch.zeros(1, 6, *y.shape[2:], device=self.device)
        if self.rng.random() < self.profile.blank:
            return zeros
        with torch.no_grad():
            first = self.average(x[0:3].reshape(1, -1, *x.shape[2:]), zeros).clamp(-1, 1)
        return torch.cat([first, first], 1)

    def _losses(self, weights: Weights, scene: Scene, pixels: Tensor) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        if weights.l1:
            losses["l1"] = weights.l1 * weighted_l1(scene.output, scene.truth, pixels)
        if weights.gradient:
            losses["gradient"] = weights.gradient * gradient_l1(scene.output, scene.truth, pixels)
        if weights.perceptual:
            seen = (slice(None), slice(None), *scene.window)
            losses["perceptual"] = weights.perceptual * self.perceptual(scene.output[seen], scene.truth[seen])
        for pair in self.adversaries.pairs(scene, weights):
            learn_to_judge(pair, self.d_optimizer)
            losses |= judged(pair, weights.matching)
        return losses

    def _window(self, weight: Tensor) -> tuple[slice, slice]:
        """Where the costly losses look: everywhere, or a square whose centre is drawn where pixels count more."""
        size = weight.shape[-1]
        if self.profile.crop is None:
            return slice(None), slice(None)
        side = min(self.profile.crop, size)
        chances = weight[0, 0].cpu().numpy().ravel().astype(np.float64)
        centre = self.rng.choice(chances.size, p=chances / chances.sum())
        top, left = (int(np.clip(c - side // 2, 0, size - side)) for c in divmod(int(centre), size))
        return slice(top, top + side), slice(left, left + side)

    @torch.no_grad()
    def sample(self) -> tuple[np.ndarray, float]:
        """Roll out the averaged generator on the held-out takes: sheet ``[h, w, 3]`` uint8 and APD (0…255)."""
        errors, columns = [], []
        for first, last in self.dataset.test or self.dataset.train[:1]:
            sequence = self.dataset.sequence(first, last, first)
            x, _, _ = _tensors(sequence, self.device)
            previous = torch.zeros(1, 6, *x.shape[2:], device=self.device)
            for t in range(last - first):
                output = self.average(x[t : t + 3].reshape(1, -1, *x.shape[2:]), previous)
                previous = torch.cat([previous[:, 3:], output.clamp(-1, 1)], 1)
                picture = ((output[0].permute(1, 2, 0).cpu().numpy() + 1) * 127.5 + 0.5).clip(0, 255).astype(np.uint8)
                truth = sequence.frames[t]
                errors.append(np.linalg.norm(picture.astype(float) - truth, axis=-1).mean())
                if t % 12 == 6:
                    columns.append(np.vstack([sequence.conditionings[t + 2][..., :3], picture, truth]))
        return np.hstack(columns), float(np.mean(errors))


def _learned(run: Path) -> dict[str, Tensor]:
    """The averaged generator's weights of another run."""
    try:
        state: dict[str, Tensor] = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=False)["average"]
    except FileNotFoundError:
        raise FaceError(f"{run} holds no checkpoint to start from.") from None
    return state


M = TypeVar("M", bound=nn.Module)


def _placed(network: M, device: torch.device) -> M:
    """The network on its device, weights laid out channels last, which convolutions like best."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _groups(generator: Generator) -> list[dict[str, Any]]:
    """Parameters by learning rate: a texel is seen in few frames and has to move far."""
    maps = {id(p) for p in generator.remembered()}
    weights = [p for p in generator.parameters() if id(p) not in maps]
    return [{"params": weights, "factor": 1.0}, {"params": generator.remembered(), "factor": 4.0}]


def _tensors(sequence: Sequence, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Conditionings [T+2, 6, H, W] and frames [T, 3, H, W] in -1…1, weights [T, 1, H, W]."""
    scaled = [
        torch.from_numpy(np.array(a)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        for a in (sequence.conditionings, sequence.frames)
    ]
    return scaled[0], scaled[1], torch.from_numpy(sequence.weights)[:, None].to(device)


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
    with tqdm(total=trainer.last_step, initial=trainer.step, desc="training", unit="sequence", mininterval=5) as bar:
        while trainer.step < trainer.last_step and time.monotonic() < deadline:
            for name, value in trainer.train_step().items():
                means[name] = means.get(name, value) * 0.98 + value * 0.02
            bar.update()
            bar.set_postfix({k: f"{v:.4f}" for k, v in means.items() if k != "rate"}, refresh=False)
            if time.monotonic() - saved > _SAVE_SECONDS:
                trainer.save()
                saved = time.monotonic()
            if trainer.step % _SAMPLE_EVERY == 0:
                bar.write(f"sequence {trainer.step}: held-out APD {_report(trainer, means):.2f}")


def _report(trainer: Trainer, means: dict[str, float]) -> float:
    """Add a sample sheet and a line of the log; the held-out APD."""
    sheet, apd = trainer.sample()
    samples = trainer.run / "samples"
    samples.mkdir(exist_ok=True)
    cv2.imwrite(str(samples / f"{trainer.step:06d}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    with (trainer.run / "log.csv").open("a") as lines:
        lines.write(f"{trainer.step},{apd:.3f}," + ",".join(f"{k}={v:.5f}" for k, v in means.items()) + "\n")
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
    parser.add_argument("--threads", type=int, help="CPU threads")


def learn_with_options(dataset: Dataset, run: Path, arguments: argparse.Namespace) -> None:
    """Train with what ``add_options`` took from the command line."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    perceptual = load_perceptual(arguments.perceptual_weights)
    profile = PROFILES[arguments.profile]
    trainer = Trainer(dataset, run, profile, perceptual, device, arguments.bf16, arguments.init)
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
