"""One step of training, and all the state that a run needs to go on exactly."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from face.errors import UserError
from offline.dataset.dataset import Dataset
from offline.dataset.pixel_error import distances
from offline.networks.exported_step import NO_OUTPUT_VALUE, torch_network
from offline.rollout import roll_out
from offline.training import checkpoint
from offline.training.adversarial_losses import adversarial_losses, discriminators_loss
from offline.training.config import write_config
from offline.training.discriminator_inputs import TrainingFrame
from offline.training.discriminators import Discriminators, Verdict
from offline.training.distributed import Ranks
from offline.training.history import History
from offline.training.initial_weights import learned_weights
from offline.training.loader import Loader
from offline.training.loss_crops import cut
from offline.training.perceptual_loss import Perceptual
from offline.training.person_textures import PersonTextures
from offline.training.pixel_losses import gradient_l1, weighted_l1
from offline.training.precision import Precision
from offline.training.profiles import Generator, Profile, Weights
from offline.training.sequences import Sequences
from offline.training.texture_init import TEXTURES, TexturedGenerator, initialize_textures


class Trainer:
    """Networks, optimizers, position and random state of a run.

    Args:
        people: what to learn: the dataset of a person, or those of many, who then share one network and keep the
            textures that were initialized for each.
        run: folder of the run; a checkpoint in it is resumed exactly.
        profile: what to train, and how.
        perceptual: distance of images by a network's features; the run's configuration names its kind.
        ranks: the processes that train together; each learns from its share of the sequences.
        batch: sequences of a step, over all processes.
        precision: of the features.
        init: whose generator a new run starts from, see ``learned_weights``; a run over many people gives all but
            their textures.
        seed: of the first weights and of all that is drawn; a run goes on with its own.

    Attributes:
        generator, average, discriminators: the networks; the averaged generator is what is exported.
        step: the number of the next step.
        frames: trained on by this process so far, over all processes.

    Raises:
        UserError: ``init`` holds no fitting checkpoint, the checkpoint to go on with is of another configuration or
            dataset, or the people's images differ in size.
    """

    def __init__(
        self, people: Sequence[Dataset], run: Path, profile: Profile, perceptual: Perceptual,
        ranks: Ranks | None = None, batch: int = 1, precision: Precision = Precision.FP32, init: Path | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        self.people, self.run, self._precision = people, run, precision
        self.profile = profile = replace(profile, perceptual=perceptual.kind)
        self.ranks = ranks or Ranks()
        self.device = device = self.ranks.device
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        torch.set_flush_denormal(True)  # moments of texels without gradient fade into denormals, ten times as slow
        size = _common_size(people)
        self.generator = _placed(profile.generator(size), device)
        self.average = _placed(profile.generator(size), device)
        self.discriminators = _placed(Discriminators(profile.discriminator_width), device)
        self.perceptual = perceptual.to(device)
        self._textures = PersonTextures(people, (self.generator, self.average), quiet=not self.ranks.first)
        self._shared_generator = self.ranks.share(self.generator)
        # The dynamics discriminators have no part in a sequence's first frames.
        self._shared_discriminators = self.ranks.share(self.discriminators, some_unused=True)
        self.g_optimizer = torch.optim.Adam(
            _groups(self.generator), profile.first_rate, betas=profile.betas, fused=True
        )
        self.d_optimizer = torch.optim.Adam(self.discriminators.parameters(), profile.first_rate, betas=(0.5, 0.999))
        scaled = precision is Precision.FP16  # its gradients would vanish
        self.g_scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.d_scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.loader = Loader(people, profile, batch, self.ranks, seed)
        self.step = self.frames = 0
        if (run / checkpoint.NAME).exists():
            self.step = checkpoint.read_checkpoint(run, self._parts, profile, self._fingerprint, device)
        else:
            self._begin(init)

    def _begin(self, init: Path | None) -> None:
        """What a new run starts from."""
        if init is not None:
            self._start_from(init)
        elif len(self.people) == 1 and isinstance(self.generator, TexturedGenerator):
            initialize_textures(self.generator, self.people[0])
        self.average.load_state_dict(self.generator.state_dict())
        if self.ranks.first:
            write_config(self.profile, self.run / "config.json")

    def _start_from(self, init: Path) -> None:
        learned, several = learned_weights(init)
        if several and isinstance(self.generator, TexturedGenerator):
            initialize_textures(self.generator, self.people[0])
            learned |= {name: getattr(self.generator, name) for name in TEXTURES}
        try:
            self.generator.load_state_dict(learned)
        except RuntimeError:
            raise UserError(f"{init} holds another network: start from one of the same profile and --size.") from None

    @property
    def last_step(self) -> int:
        """Where the schedule ends."""
        return self.profile.phases[-1].until

    @property
    def _parts(self) -> dict[str, checkpoint.Stateful]:
        """What a checkpoint holds, by its names there."""
        return {
            "generator": self.generator, "average": self.average, "adversaries": self.discriminators,
            "g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer,
            "g_scaler": self.g_scaler, "d_scaler": self.d_scaler,
        }  # fmt: skip

    @property
    def _fingerprint(self) -> str:
        return " ".join(dataset.fingerprint for dataset in self.people)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; only the first process does."""
        if self.ranks.first:
            checkpoint.write_checkpoint(
                self.run, self._parts, self.profile, self._fingerprint, self.step, len(self.people)
            )

    def train_step(self) -> dict[str, float]:
        """Learn from a batch of sequences, frame by frame; the losses, averaged over the frames.

        The generator rolls out on its own outputs; gradients go through one step, and each frame is learned from
        at once: neighboring frames are so alike that adding their gradients up would waste them.

        The host waits for the device once a step, not once a frame (but in fp16, whose scaler looks at gradients).

        Raises:
            UserError: a loss is not finite.
        """
        phase, rate = self.profile.at(self.step)
        self._set_rates(rate)
        batch = self.loader.batch(self.step)
        for network in (self.generator, self.average):
            self._textures.load(network, batch.person)
        sequences = Sequences.of(batch, self.device)
        conditionings, previous = self._start(sequences.conditionings, batch.begun)
        sequences = replace(sequences, conditionings=conditionings)
        history = History(sequences.flows)
        sums: dict[str, Tensor] = {}
        count = sequences.frames.shape[1]
        for t in range(count):
            output, losses = self._train_frame(phase.weights, sequences, previous, history, t)
            previous = torch.cat([previous[:, 3:], output], 1)
            history.add(output, sequences.frames[:, t])
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach() / count
        self._update_average()
        means = self.ranks.average(sums)
        if not all(math.isfinite(value) for value in means.values()):
            raise UserError(f"The loss is not finite at sequence {self.step}: lower the learning rate and resume.")
        self.step += 1
        self.frames += count * self.loader.size
        return means | {"rate": rate}

    def _set_rates(self, rate: float) -> None:
        """Learning rates of the step; the generator's is given."""
        for group in self.g_optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        for group in self.d_optimizer.param_groups:
            group["lr"] = rate if self.profile.discriminator_rate is None else self.profile.discriminator_rate

    def _train_frame(
        self, weights: Weights, sequences: Sequences, previous: Tensor, history: History, t: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Learn from frame ``t`` of each sequence.

        Args:
            weights: of the losses.
            sequences: the batch.
            previous: outputs at t-2 and t-1, [B, 6, H, W].
            history: of the frames before.
            t: number of the frame.

        Returns:
            The outputs [B, 3, H, W], and the generator's losses by name.
        """
        truth = sequences.frames[:, t]
        with torch.autocast(self.device.type, self._precision.dtype, enabled=self._precision is not Precision.FP32):
            output = self._shared_generator(sequences.conditionings[:, t : t + 3].flatten(1, 2), previous).float()
            frame = TrainingFrame(
                sequences.conditionings[:, t + 2], output, truth,
                None if sequences.weights is None else sequences.weights[:, t],
                sequences.crops[t], history.motions(t) if weights.dynamics else {},
            )  # fmt: skip
            losses = self._reconstruction(weights, frame)
            pairs = list(self.discriminators.pairs(frame, weights))
            verdicts = self._shared_discriminators(pairs) if pairs else []
            losses |= adversarial_losses(pairs, verdicts, weights.matching)
            if weights.warping and t > 0:
                losses["warping"] = weights.warping * history.warping(t, output, truth)
        if losses:  # the dynamics discriminators alone say nothing about a sequence's first frames
            self._train_generator(losses)
        if verdicts:
            self._train_discriminators(verdicts)
        return output.detach().clamp(-1, 1), losses

    def _train_generator(self, losses: dict[str, Tensor]) -> None:
        """A step of the generator's optimizer."""
        self.g_optimizer.zero_grad(set_to_none=True)
        self.g_scaler.scale(torch.stack(list(losses.values())).sum()).backward()
        self.g_scaler.unscale_(self.g_optimizer)
        if self.profile.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.generator.parameters(), self.profile.gradient_clip)
        self.g_scaler.step(self.g_optimizer)
        self.g_scaler.update()

    def _train_discriminators(self, verdicts: Sequence[Verdict]) -> None:
        """A step of the discriminators' optimizer, those left alone that had no part."""
        self.d_optimizer.zero_grad(set_to_none=True)
        self.d_scaler.scale(discriminators_loss(verdicts)).backward()
        self.d_scaler.step(self.d_optimizer)
        self.d_scaler.update()

    @torch.no_grad()
    def _update_average(self) -> None:
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

    def _reconstruction(self, weights: Weights, frame: TrainingFrame) -> dict[str, Tensor]:
        """The losses that compare a frame with the truth directly."""
        losses: dict[str, Tensor] = {}
        if frame.weights is not None and weights.l1:
            losses["l1"] = weights.l1 * weighted_l1(frame.output, frame.truth, frame.weights)
        if frame.weights is not None and weights.gradient:
            losses["gradient"] = weights.gradient * gradient_l1(frame.output, frame.truth, frame.weights)
        if weights.perceptual:
            output, truth = cut(frame.output, frame.crops.drawn), cut(frame.truth, frame.crops.drawn)
            losses["perceptual"] = weights.perceptual * self.perceptual(output, truth)
        return losses

    def snapshot(self) -> Generator:
        """A copy of the averaged generator, with the first person's textures."""
        self._textures.load(self.average, 0)
        return copy.deepcopy(self.average)

    def sample(self) -> tuple[np.ndarray, float]:
        """Roll out the averaged generator on the held-out takes, or on the first one of training if there are none.

        Returns:
            frames: ``[T, H, 3W, 3]`` uint8 RGB, NMFC, output and truth side by side.
            apd: mean distance of outputs and truth, 0…255.
        """
        errors, frames = [], []
        for person, dataset in enumerate(self.people):
            self._textures.load(self.average, person)
            network = torch_network(self.average, self.device)
            for first, last in dataset.test or dataset.train[:1]:
                truths, conditionings = dataset.frames[first:last], np.asarray(dataset.conditionings[first:last])
                for image, truth, conditioning in zip(
                    roll_out(network, conditionings), truths, conditionings, strict=True
                ):
                    errors.append(distances(image, truth).mean())
                    frames.append(np.hstack([conditioning[..., :3], image, truth]))
        return np.stack(frames), float(np.mean(errors))


def _common_size(people: Sequence[Dataset]) -> int:
    """Height and width of all people's images."""
    sizes = {dataset.frames.shape[1] for dataset in people}
    if len(sizes) > 1:
        raise UserError("The datasets differ in image size: reconstruct them with one --size.")
    return int(sizes.pop())


M = TypeVar("M", bound=nn.Module)


def _placed(network: M, device: torch.device) -> M:
    """The network on its device, weights laid out channels last, which convolutions like best."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _groups(generator: Generator) -> list[dict[str, Any]]:
    """Parameters by learning rate: a texel is seen in few frames and has to move far."""
    textures = {id(p) for p in generator.textures()}
    weights = [p for p in generator.parameters() if id(p) not in textures]
    return [{"params": weights, "factor": 1.0}, {"params": generator.textures(), "factor": 4.0}]
