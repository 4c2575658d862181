"""The people of an experiment: datasets of footage, and painted people whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from offline.dataset.dataset import Dataset
from offline.dataset.store import made_by, stack_parameters, write_dataset
from offline.synthetic.motion import FPS, acted_motion
from offline.synthetic.raster_people import Person, act

PAINTED = "painted:"  # what a painted person's name begins with; a seed follows
_SHORTEST = 3  # frames of a take that shows motion


@dataclass(frozen=True)
class Subject:
    """A person.

    Attributes:
        name: short, for tables and folders.
        dataset: footage, of which some takes are held out.
        painted: whether no camera and no path tracer made the frames.
        limit: of the held-out frames that are looked at.
    """

    name: str
    dataset: Dataset
    painted: bool
    limit: int

    @property
    def takes(self) -> list[tuple[int, int]]:
        """The held-out takes as half-open ranges of frame numbers, up to the limit."""
        takes: list[tuple[int, int]] = []
        left = self.limit
        for first, last in self.dataset.test:
            last = min(last, first + left)
            if last - first >= _SHORTEST:
                takes.append((first, last))
                left -= last - first
        return takes

    @property
    def held_out(self) -> np.ndarray:
        """Numbers ``[T]`` of the held-out frames, take by take."""
        return np.concatenate([np.arange(first, last) for first, last in self.takes])

    @property
    def held_out_key(self) -> str:
        """Tells the held-out frames of people apart."""
        return f"{self.dataset.fingerprint} {len(self.held_out)}"


@dataclass(frozen=True)
class PaintedFilm:
    """How long and how large painted people are filmed; the last third of the frames is held out."""

    frames: int
    size: int


def open_subject(model: MorphableModel, description: str, folder: Path, film: PaintedFilm, limit: int) -> Subject:
    """A person by ``painted:SEED``, or by a dataset's folder.

    Args:
        model: the morphable model.
        description: as on the command line.
        folder: where painted people's datasets go.
        film: of painted people.
        limit: of held-out frames.

    Raises:
        UserError: there is no such person, or nothing of the footage is held out.
    """
    painted = description.startswith(PAINTED)
    if painted:
        seed = description.removeprefix(PAINTED)
        if not seed.isdecimal():
            raise UserError(f"{description} names no painted person: give {PAINTED}SEED, as {PAINTED}7.")
        name = f"painted{seed}"
        place = folder / f"{name}-{film.frames}-{film.size}"
        _render(model, int(seed), place, film)
    else:
        place = Path(description)
        name = place.parent.name if place.name == "dataset" else place.name
        if not place.is_dir():
            raise UserError(f"There is no dataset {place}: make one with 'python -m offline.reconstruct'.")
    subject = Subject(name, Dataset(place, model), painted, limit)
    if not subject.takes:
        raise UserError(f"{place} holds nothing out: reconstruct it without --held-out, or with a longer video.")
    return subject


def _render(model: MorphableModel, seed: int, folder: Path, film: PaintedFilm) -> None:
    """Film a painted person as a dataset whose parameters are the true ones."""
    recipe: dict[str, object] = {"painted": seed, "frames": film.frames, "size": film.size, "teeth": True,
                                 "model_hash": model.hash}  # fmt: skip
    if made_by(folder, recipe):
        return
    teeth = TeethPlacement()  # a painted person's are the model's own
    person, renderer = Person(model, seed), CpuConditioning(model, film.size, teeth)
    acted = act(person, acted_motion(film.frames, seed), film.size)
    frames = np.stack([person.render(face, film.size, film.size) for face in tqdm(acted, desc=folder.name)])
    conditionings = np.stack([renderer.render(face) for face in acted])
    takes = (np.arange(film.frames) >= film.frames - film.frames // 3).astype(int)
    parameters = stack_parameters(acted, acted, takes, np.zeros((0, 6)), teeth)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_dataset(folder, frames, conditionings, parameters, recipe | {"rate": FPS, "held_out_takes": [1]})
