"""Real and forged frames: to train on, of all people but the last, and to test on, of the last alone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from offline.experiments.detector.forgeries import spliced, warped
from offline.experiments.detector.network import SIDE
from offline.experiments.pix2pix import pix2pix_variant
from offline.experiments.setup import Setup
from offline.experiments.subjects import Subject
from offline.experiments.training import Variant, held_out_outputs

REAL = "real"
_PER_PERSON = 600  # frames of each kind of a person, at most


@dataclass(frozen=True)
class Samples:
    """Frames by kind, ``[N, SIDE, SIDE, 3]`` uint8; all kinds but ``REAL`` are forgeries."""

    by_kind: dict[str, np.ndarray]

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """All frames ``[N, SIDE, SIDE, 3]`` and whether each is a forgery, ``[N]`` float32."""
        forged = [np.full(len(images), float(kind != REAL), np.float32) for kind, images in self.by_kind.items()]
        return np.concatenate(list(self.by_kind.values())), np.concatenate(forged)


def people_of_camera(setup: Setup) -> list[Subject]:
    """Whose frames pass for real: those who were filmed or path-traced, or all where there are fewer than two."""
    filmed = [subject for subject in setup.subjects if not subject.painted]
    return filmed if len(filmed) > 1 else setup.subjects


def training_samples(setup: Setup) -> Samples:
    """Frames of all people but the last, forgeries of them, and painted people where others pass for real."""
    people = people_of_camera(setup)
    parts = [_of_person(person, people[:-1]) for person in people[:-1]]
    kinds = {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}
    kinds["pix2pix"] = np.concatenate(
        [_small(held_out_outputs(setup, person, pix2pix_variant(setup.scale), 0)) for person in people[:-1]]
    )
    painted = [subject for subject in setup.subjects if subject not in people]
    if painted:
        kinds["painted"] = np.concatenate([_small(subject.dataset.frames[subject.held_out]) for subject in painted])
    return Samples(kinds)


def unseen_samples(setup: Setup) -> Samples:
    """Frames of the last person, whom no detector saw; ``ours`` are outputs of the full network."""
    people = people_of_camera(setup)
    person = people[-1]
    kinds = _of_person(person, people)
    kinds["pix2pix"] = _small(held_out_outputs(setup, person, pix2pix_variant(setup.scale), 0))
    kinds["ours"] = _small(held_out_outputs(setup, person, Variant("full", setup.scale.profile), 0))
    return Samples(kinds)


def _of_person(person: Subject, others: list[Subject]) -> dict[str, np.ndarray]:
    """Held-out frames of a person, each warped, and each with a face of another person, or of another frame."""
    rng = np.random.default_rng(0)
    numbers = person.held_out
    numbers = numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), _PER_PERSON)).astype(int)]
    donors = [other for other in others if other is not person] or [person]
    kinds: dict[str, list[np.ndarray]] = {REAL: [], "warp": [], "splice": []}
    for number in numbers:
        frame, mask = _frame(person, int(number))
        donor = donors[int(rng.integers(len(donors)))]
        other, other_mask = _frame(donor, int(rng.integers(len(donor.dataset.frames))))
        kinds[REAL].append(frame)
        kinds["warp"].append(warped(frame, mask, rng))
        kinds["splice"].append(spliced(frame, mask, _resized(other, len(frame)), _resized(other_mask, len(frame)), rng))
    return {kind: _small(np.stack(images)) for kind, images in kinds.items()}


def _frame(person: Subject, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame ``[H, W, 3]`` uint8 and its face ``[H, W]`` bool."""
    nmfc = np.asarray(person.dataset.conditionings[number][..., :3])
    return np.asarray(person.dataset.frames[number]), np.asarray(nmfc.any(-1))


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """An image or a mask brought to another size."""
    resized = cv2.resize(image.astype(np.uint8), (size, size), interpolation=cv2.INTER_AREA)
    return resized.astype(image.dtype)


def _small(images: np.ndarray) -> np.ndarray:
    """Images as the detector takes them, evenly chosen where there are many."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), _PER_PERSON)).astype(int)
    return np.stack([cv2.resize(np.asarray(images[k]), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for k in chosen])
