"""What a run learns from, step by step: drawn, moved, cropped and with its flows, while the step before is trained.

A step's draw depends on its number alone, so that a resumed run sees what it would have seen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from offline.dataset.dataset import Clip, Dataset
from offline.training.discriminator_inputs import STRIDES
from offline.training.distributed import Ranks
from offline.training.loss_crops import Crops, draw_crops
from offline.training.profiles import Profile, Weights

FramePair = tuple[int, int]  # numbers of a frame and of an earlier one in a sequence


@dataclass(frozen=True)
class Batch:
    """A process's share of a step: sequences of one length, of one person.

    Attributes:
        person: the person's number.
        clips: the sequences, B of them.
        flows: between frames of each sequence, ``[B, H, W, 2]`` px.
        begun: whether a sequence begins with the generator's own outputs as its history, not with blank images.
        crops: of each frame.
        weights: how much each pixel counts, ``[B, T, H, W]`` float32; ``None`` where no loss asks for it.
    """

    person: int
    clips: list[Clip]
    flows: dict[FramePair, np.ndarray]
    begun: list[bool]
    crops: list[Crops]
    weights: np.ndarray | None


class Loader:
    """Batches of a run.

    Args:
        people: the datasets to draw from, each of one person.
        profile: decides lengths, moves and flows.
        size: sequences of a step, over all processes.
        ranks: whose share to make.
        seed: of all that is drawn.

    Attributes:
        size: as given.
        waited_s: for batches that were not ready in time.
    """

    def __init__(self, people: Sequence[Dataset], profile: Profile, size: int, ranks: Ranks, seed: int = 0) -> None:
        self._people, self._profile, self._seed = people, profile, seed
        self.size, self._own = size, range(ranks.number, size, ranks.count)
        self._worker = ThreadPoolExecutor(1, "loader")
        self._ahead: dict[int, Future[Batch]] = {}
        self.waited_s = 0.0

    def batch(self, step: int) -> Batch:
        """The process's share of a step."""
        pending = self._ahead.pop(step, None) or self._worker.submit(self._make, step)
        begin = time.perf_counter()
        batch = pending.result()
        self.waited_s += time.perf_counter() - begin
        self._ahead = {step + 1: self._worker.submit(self._make, step + 1)}
        return batch

    def _make(self, step: int) -> Batch:
        phase, _ = self._profile.at(step)
        rng = np.random.default_rng([0, step, self._seed])
        person = int(rng.integers(len(self._people)))
        dataset = self._people[person]
        spans = dataset.draw(rng, phase.length, self.size)
        clips = []
        for k in self._own:
            random = np.random.default_rng([1, step, k, self._seed])
            moved = self._profile.augmentation.draw(random, dataset.frames.shape[1])
            clips.append(dataset.sequence(*spans[k], moved))
        flows = {
            (now, earlier): np.stack([dataset.flow(clip, now, earlier, self._profile.flow) for clip in clips])
            for now, earlier in needed_flows(len(clips[0].frames), phase.weights)
        }
        # Chance belongs to a sequence, not to the process that learns from it.
        chances = [np.random.default_rng([2, step, k, self._seed]) for k in self._own]
        begun = [bool(chance.random() >= self._profile.blank) for chance in chances]
        crops = draw_crops(clips, chances, self._profile.crop)
        by_pixel = phase.weights.l1 or phase.weights.gradient
        weights = np.stack([clip.weights for clip in clips]) if by_pixel else None
        return Batch(person, clips, flows, begun, crops, weights)


def needed_flows(length: int, weights: Weights) -> set[FramePair]:
    """The frames of a sequence between which its losses need flows."""
    pairs: set[FramePair] = set()
    if weights.warping:
        pairs |= {(t, t - 1) for t in range(1, length)}
    if weights.dynamics:
        for stride in STRIDES:
            for t in range(2 * stride, length):
                pairs |= {(t, t - stride), (t - stride, t - 2 * stride)}
    return pairs


def needed_strides(profile: Profile) -> list[int]:
    """How far apart the frames are between which a profile's losses need flows."""
    pairs = set().union(*(needed_flows(phase.length, phase.weights) for phase in profile.phases))
    return sorted({now - earlier for now, earlier in pairs})
