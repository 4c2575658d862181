"""One step of training, and all the state that a run needs to go on exactly."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from face.errors import UserError
from face.files import write_whole
from offline.dataset.dataset import Clip, Dataset
from offline.dataset.pixel_error import distances
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import NO_OUTPUT_VALUE, torch_network
from offline.rollout import roll_out
from offline.training.config import as_config, differences, write_config
from offline.training.distributed import Ranks
from offline.training.gan import Adversaries, Scene, adversarial_losses, cut
from offline.training.history import Past
from offline.training.initial_weights import learned_weights
from offline.training.loader import Loader
from offline.training.losses import gradient_l1, weighted_l1
from offline.training.perceptual import Perceptual
from offline.training.profiles import Generator, Profile, Weights
from offline.training.texture_init import REMEMBERED, remember

_SAVED = ("generator", "average", "adversaries", "g_optimizer", "d_optimizer")
_SCALERS = ("g_scaler", "d_scaler")


class Precision(StrEnum):
    """What features are computed in; weights and losses stay float32."""

    FP32 = "fp32"
    BF16 = "bf16"  # GPUs since Ampere, processors with AVX512-BF16
    FP16 = "fp16"  # older GPUs


class Trainer:
    """Networks, optimisers, position and random state of a run.

    Args:
        people: what to learn: the dataset of a person, or those of many, who then share one network and keep the
            maps that were guessed for each.
        run: folder of the run; a checkpoint in it is resumed exactly.
        profile: what to train, and how.
        perceptual: distance of pictures by a network's features; the run's configuration names its kind.
        ranks: the processes that train together; each learns from its share of the sequences.
        batch: sequences of a step, over all processes.
        precision: of the features.
        init: whose generator a new run starts from, see ``learned_weights``; a run over many people gives all but
            what is remembered of each.

    Raises:
        UserError: ``init`` holds no fitting checkpoint, the checkpoint to go on with is of another configuration or
            dataset, or the people's pictures differ in size.
    """

    def __init__(
        self, people: Sequence[Dataset], run: Path, profile: Profile, perceptual: Perceptual,
        ranks: Ranks | None = None, batch: int = 1, precision: Precision = Precision.FP32, init: Path | None = None,
    ) -> None:  # fmt: skip
        self.people, self.run = people, run
        self.profile = profile = replace(profile, perceptual=perceptual.kind)
        self.ranks = ranks or Ranks()
        self.device = device = self.ranks.device
        self._half = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}.get(precision)
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        torch.set_flush_denormal(True)  # moments of texels no longer seen fade into denormals, ten times as slow
        sizes = {one.frames.shape[1] for one in people}
        if len(sizes) > 1:
            raise UserError("The datasets differ in picture size: reconstruct them with one --size.")
        size = sizes.pop()
        self.generator = _placed(profile.generator(size), device)
        self.average = _placed(profile.generator(size), device)
        self.adversaries = _placed(Adversaries(profile.discriminator_width), device)
        self.perceptual = perceptual.to(device)
        self._maps = self._guess_maps() if len(people) > 1 else []
        self.g_optimizer = torch.optim.Adam(
            _groups(self.generator), profile.first_rate, betas=profile.betas, fused=True
        )
        self.d_optimizer = torch.optim.Adam(self.adversaries.parameters(), profile.first_rate, betas=(0.5, 0.999))
        scaled = precision is Precision.FP16  # its gradients would vanish
        self.g_scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.d_scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.loader = Loader(people, profile, batch, self.ranks)
        self.step = self.frames = 0  # the frames of this process's life, over all processes
        if (run / "checkpoint.pt").exists():
            self._load()
            return
        if init is None and len(people) == 1 and isinstance(self.generator, CompactGenerator):
            remember(self.generator, people[0])
        elif init is not None:
            self._start_from(init)
        self.average.load_state_dict(self.generator.state_dict())
        if self.ranks.first:
            write_config(profile, run / "config.json")

    def _guess_maps(self) -> list[dict[str, Tensor]]:
        """What is remembered of each of many people, which training leaves as it is."""
        if not isinstance(self.generator, CompactGenerator):
            return []
        guesses = []
        for dataset in tqdm(self.people, desc="getting to know", unit="person", disable=not self.ranks.first):
            remember(self.generator, dataset)
            guesses.append({name: getattr(self.generator, name).detach().clone() for name in REMEMBERED})
        for network in (self.generator, self.average):
            for name in REMEMBERED:
                getattr(network, name).requires_grad_(False)
        return guesses

    @torch.no_grad()
    def _think_of(self, network: Generator, person: int) -> None:
        """Let a network that many people share remember one of them."""
        if self._maps:
            for name, value in self._maps[person].items():
                getattr(network, name).copy_(value)

    def _start_from(self, init: Path) -> None:
        learned, several = learned_weights(init)
        if several and isinstance(self.generator, CompactGenerator):
            remember(self.generator, self.people[0])
            learned |= {name: getattr(self.generator, name) for name in REMEMBERED}
        try:
            self.generator.load_state_dict(learned)
        except RuntimeError:
            raise UserError(f"{init} holds another network: start from one of the same profile and --size.") from None

    @property
    def last_step(self) -> int:
        """Where the schedule ends."""
        return self.profile.phases[-1].until

    def save(self) -> None:
        """Write the checkpoint, atomically; only the first process does."""
        if not self.ranks.first:
            return
        state = {name: getattr(self, name).state_dict() for name in (*_SAVED, *_SCALERS)}
        state |= {
            "step": self.step, "torch_rng": torch.get_rng_state(), "people": len(self.people),
            "profile": self.profile.name, "config": as_config(self.profile), "dataset": self._fingerprint,
        }  # fmt: skip
        content = io.BytesIO()  # given a file, torch hides a full disk behind another error
        torch.save(state, content)
        write_whole(self.run / "checkpoint.pt", content.getbuffer())

    @property
    def _fingerprint(self) -> str:
        return " ".join(one.fingerprint for one in self.people)

    def _load(self) -> None:
        state = torch.load(self.run / "checkpoint.pt", map_location=self.device, weights_only=True)
        if state["profile"] != self.profile.name:
            raise UserError(
                f"{self.run} trains the {state['profile']} profile: go on with --profile {state['profile']},"
                " or give another folder."
            )
        changed = differences(state["config"], as_config(self.profile))
        if changed:
            raise UserError(
                f"{self.run} was begun with another {' and '.join(changed)}: go on with --config"
                f" {self.run / 'config.json'}, or give another folder, with --init {self.run}."
            )
        if state["dataset"] != self._fingerprint:
            raise UserError(f"{self.run} learned from another dataset: give another folder, with --init {self.run}.")
        for name in _SAVED:
            getattr(self, name).load_state_dict(state[name])
        for name in _SCALERS:
            if state[name]:  # a run in another precision has none
                getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]
        torch.set_rng_state(state["torch_rng"].cpu())

    def train_step(self) -> dict[str, float]:
        """Learn from a batch of sequences, frame by frame.

        The generator rolls out on its own outputs; gradients go through one step, and each frame is learned from
        at once: neighbouring frames are so alike that adding their gradients up would waste them.
        """
        phase, rate = self.profile.at(self.step)
        for group in self.g_optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        for group in self.d_optimizer.param_groups:
            group["lr"] = rate if self.profile.discriminator_rate is None else self.profile.discriminator_rate
        batch = self.loader.batch(self.step)
        for network in (self.generator, self.average):
            self._think_of(network, batch.person)
        x, y = _tensors(batch.clips, self.device)
        x, previous = self._start(x, batch.begun)
        past = Past(batch, self.device)
        sums: dict[str, Tensor] = {}
        count = y.shape[1]
        for t in range(count):
            conditioning, truth = x[:, t : t + 3].flatten(1, 2), y[:, t]
            with torch.autocast(self.device.type, self._half, enabled=self._half is not None):
                output = self.generator(conditioning, previous).float()
                scene = Scene(
                    conditioning[:, -6:], output, truth, batch.windows[t],
                    [one.mouths[t] for one in batch.clips], [one.eyes[t] for one in batch.clips],
                    past.motions(t) if phase.weights.dynamics else {},
                )  # fmt: skip
                losses = self._reconstruction(phase.weights, scene, batch.clips, t)
                pairs = self.adversaries.pairs(scene, phase.weights)
                discriminators, generator = adversarial_losses(pairs, phase.weights.matching)
                losses |= generator
                if phase.weights.warping and t > 0:
                    losses["warping"] = phase.weights.warping * past.warping(t, output, truth)
            if losses:  # the dynamics discriminators alone say nothing about a sequence's first frames
                self._descend(sum(losses.values(), output.new_zeros(())))
            if discriminators is not None:
                self._teach(discriminators)
            output = output.detach().clamp(-1, 1)
            previous = torch.cat([previous[:, 3:], output], 1)
            past.add(output, truth)
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach() / count
        self._follow()
        means = self.ranks.average({name: float(value) for name, value in sums.items()})
        if not all(math.isfinite(value) for value in means.values()):
            raise UserError(f"The loss is not finite at sequence {self.step}: lower the learning rate and resume.")
        self.step += 1
        self.frames += count * self.loader.size
        return means | {"rate": rate}

    def _descend(self, total: Tensor) -> None:
        """A step of the generator."""
        self.g_optimizer.zero_grad(set_to_none=True)
        self.g_scaler.scale(total).backward()
        self.ranks.average_gradients(self.generator.parameters())
        self.g_scaler.unscale_(self.g_optimizer)
        if self.profile.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.generator.parameters(), self.profile.gradient_clip)
        self.g_scaler.step(self.g_optimizer)
        self.g_scaler.update()

    def _teach(self, total: Tensor) -> None:
        """A step of the discriminators, those left alone that saw nothing."""
        self.d_optimizer.zero_grad(set_to_none=True)
        self.d_scaler.scale(total).backward()
        self.ranks.average_gradients(self.adversaries.parameters())
        self.d_scaler.step(self.d_optimizer)
        self.d_scaler.update()

    @torch.no_grad()
    def _follow(self) -> None:
        """The averaged generator follows the one that learns."""
        decay = min(self.profile.average_decay, (1 + self.step) / (10 + self.step))
        for slow, fast in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)

    def _start(self, x: Tensor, begun: list[bool]) -> tuple[Tensor, Tensor]:
        """How sequences begin: conditionings [B, T+2, 6, H, W] and previous outputs [B, 6, H, W].

        A sequence without outputs begins as live does: blank images stand for them, its first conditioning for the
        two before it. One that has begun follows on two of the averaged generator's own outputs.
        """
        previous = torch.full((len(x), 6, *x.shape[3:]), NO_OUTPUT_VALUE, device=self.device)
        has_history = torch.tensor(begun, device=self.device)[:, None, None, None]
        if any(begun):
            with torch.no_grad():
                first = self.average(x[:, 0:3].flatten(1, 2), previous).clamp(-1, 1)
            previous = torch.where(has_history, torch.cat([first, first], 1), previous)
        if not all(begun):
            earlier = torch.where(has_history[:, None], x[:, :2], x[:, 2:3])
            x = torch.cat([earlier, x[:, 2:]], 1)
        return x, previous

    def _reconstruction(self, weights: Weights, scene: Scene, clips: list[Clip], t: int) -> dict[str, Tensor]:
        """The losses of frame ``t`` of the sequences that compare it with the truth directly."""
        losses: dict[str, Tensor] = {}
        if weights.l1 or weights.gradient:
            pixels = torch.from_numpy(np.stack([one.weights[t] for one in clips]))[:, None].to(self.device)
            if weights.l1:
                losses["l1"] = weights.l1 * weighted_l1(scene.output, scene.truth, pixels)
            if weights.gradient:
                losses["gradient"] = weights.gradient * gradient_l1(scene.output, scene.truth, pixels)
        if weights.perceptual:
            output, truth = cut(scene.output, scene.windows), cut(scene.truth, scene.windows)
            losses["perceptual"] = weights.perceptual * self.perceptual(output, truth)
        return losses

    def sample(self) -> tuple[np.ndarray, float]:
        """Roll out the averaged generator on the held-out takes, or on the first one of training if there are none.

        Returns:
            shown: ``[T, H, 3W, 3]`` uint8 RGB, NMFC, output and truth side by side.
            apd: mean distance of outputs and truth, 0…255.
        """
        errors, shown = [], []
        for person, dataset in enumerate(self.people):
            self._think_of(self.average, person)
            network = torch_network(self.average, self.device)
            for first, last in dataset.test or dataset.train[:1]:
                truths, conditionings = dataset.frames[first:last], np.asarray(dataset.conditionings[first:last])
                for image, truth, conditioning in zip(
                    roll_out(network, conditionings), truths, conditionings, strict=True
                ):
                    errors.append(distances(image, truth).mean())
                    shown.append(np.hstack([conditioning[..., :3], image, truth]))
        return np.stack(shown), float(np.mean(errors))


M = TypeVar("M", bound=nn.Module)


def _placed(network: M, device: torch.device) -> M:
    """The network on its device, weights laid out channels last, which convolutions like best."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _groups(generator: Generator) -> list[dict[str, Any]]:
    """Parameters by learning rate: a texel is seen in few frames and has to move far."""
    maps = {id(p) for p in generator.remembered()}
    weights = [p for p in generator.parameters() if id(p) not in maps]
    return [{"params": weights, "factor": 1.0}, {"params": generator.remembered(), "factor": 4.0}]


def _tensors(sequences: list[Clip], device: torch.device) -> tuple[Tensor, Tensor]:
    """Conditionings [B, T+2, 6, H, W] and frames [B, T, 3, H, W] in -1…1."""
    conditionings, frames = (
        torch.from_numpy(np.stack(a)).to(device).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
        for a in ([one.conditionings for one in sequences], [one.frames for one in sequences])
    )
    return conditionings, frames
