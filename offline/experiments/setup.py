"""What all experiments share: people, networks, seeds and the folder of the results."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.morphable import MorphableModel
from offline.evaluate.identity import FaceRecognizer
from offline.experiments.scales import Scale
from offline.experiments.subjects import Subject
from offline.training.distributed import Ranks


@dataclass(frozen=True, kw_only=True)
class Setup:
    """An experiment's people and networks.

    Attributes:
        model: the morphable model.
        subjects: the people.
        out: folder of all experiments; what one of them trained, the others use.
        scale: of the networks.
        seeds: how many times each network is trained.
        sequences: that each is trained on; ``None`` for the profile's whole schedule.
        ranks: where to compute.
        perceptual_weights: npz of a VGG16 trunk; ``None`` for VGG19.
        recognizer: of faces, where one is at hand.
        smoke: only try whether everything runs.
    """

    model: MorphableModel
    subjects: list[Subject]
    out: Path
    scale: Scale
    seeds: int
    sequences: int | None
    ranks: Ranks
    perceptual_weights: Path | None = None
    recognizer: FaceRecognizer | None = None
    smoke: bool = False

    def folder(self, row: str) -> Path:
        """Where a row's tables and figures go."""
        folder = self.out / row
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def renderer(self, subject: Subject) -> CpuConditioning:
        """Draws conditionings of a person's size."""
        return CpuConditioning(self.model, int(subject.dataset.frames.shape[1]), subject.dataset.teeth)

    def pairs(self) -> list[tuple[Subject, Subject]]:
        """Sources and targets: everybody drives everybody else.

        Raises:
            UserError: there is one person only, or the people's images differ in size.
        """
        if len(self.subjects) < 2:
            raise UserError("This experiment needs two people: give --people twice.")
        if len({subject.dataset.frames.shape[1] for subject in self.subjects}) > 1:
            raise UserError("The people's images differ in size: reconstruct them with one --size.")
        return list(itertools.permutations(self.subjects, 2))

    def caption(self) -> str:
        """What the figures of a table are of."""
        trained = f"{self.sequences} sequences" if self.sequences else "the profile's whole schedule"
        people = ", ".join(subject.name for subject in self.subjects)
        kind = " Toy sizes: these figures say only that everything runs." if self.smoke else ""
        return f"People: {people}. Profile {self.scale.name}, {trained}, seeds 0 to {self.seeds - 1}.{kind}"


def digest(recipe: dict[str, object]) -> str:
    """A short name for what a recipe makes."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:10]


def at_takes(subject: Subject, values: np.ndarray) -> list[np.ndarray]:  # [T, …] of the held-out frames
    """Values of the held-out frames by take."""
    lengths = [last - first for first, last in subject.takes]
    return np.split(values, np.cumsum(lengths)[:-1])
