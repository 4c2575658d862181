"""From a source's frames to a target's conditionings, as the paper does it, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from face.camera_map import CameraMap
from face.follow_person import LiveFit
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from offline.dataset.dataset import Dataset
from offline.evaluate.face_metrics import watch
from offline.experiments.setup import Setup
from offline.experiments.subjects import Subject
from offline.experiments.training import Origin


@dataclass(frozen=True)
class Usual:
    """How a person usually appears in training.

    Attributes:
        identity: ``[IDENTITY_SIZE]``.
        scale: px per model unit.
        place: ``[2]`` model units, the face's place over its scale.
    """

    identity: np.ndarray
    scale: float
    place: np.ndarray


def usual(dataset: Dataset) -> Usual:
    """How a person usually appears, by the training takes."""
    p = dataset.parameters
    chosen = np.concatenate([np.arange(first, last) for first, last in dataset.train])
    scale = p["scale"][chosen]
    return Usual(p["identity"], float(scale.mean()), (p["translation"][chosen] / scale[:, None]).mean(0))


def transferred(face: FaceParameters, source: Usual, target: Usual, swap: bool = True) -> FaceParameters:
    """A source's face on a target: expression, pose and gaze of the one, identity, scale and place of the other.

    Changes of scale and place carry over, and nothing is clamped: the way back gives the same face.

    Args:
        face: of the source.
        source: how that person usually appears.
        target: how this one does.
        swap: whether the identity becomes the target's.
    """
    camera = face.camera
    scale = camera.scale * target.scale / source.scale
    place = camera.translation / camera.scale - source.place + target.place
    moved = replace(camera, scale=scale, translation=place * scale)
    return replace(face, camera=moved, identity=target.identity if swap else face.identity)


def transferred_conditionings(setup: Setup, source: Subject, target: Subject, swap: bool = True) -> list[np.ndarray]:
    """Conditionings ``[t, H, W, 6]`` uint8 of the target for each of the source's held-out takes."""
    renderer = setup.renderer(target)
    ends = usual(source.dataset), usual(target.dataset)
    return [
        np.stack(
            [renderer.render(transferred(source.dataset.face(k), *ends, swap)) for k in range(first, last)]
        )
        for first, last in source.takes
    ]  # fmt: skip


def driven_by(source: Subject, swap: bool = True) -> Origin:
    """Where ``transferred_conditionings`` come from."""
    return Origin(f"driven-by-{source.name}" + ("" if swap else "-not-swapped"), source.held_out_key)


def followed(model: MorphableModel, dataset: Dataset, images: np.ndarray) -> list[FaceParameters | None]:
    """The live fit of a person's face in images ``[T, H, W, 3]`` uint8 of one take; the last one where none is seen.

    ``None`` until a face is seen.
    """
    rate = float(dataset.manifest["rate"])
    fit, camera_map = LiveFit(model, dataset.parameters["identity"]), CameraMap(model, dataset.camera_map)
    faces: list[FaceParameters | None] = [None]
    for number, landmarks in enumerate(watch(images, rate)):
        faces.append(fit.step(landmarks, number / rate, camera_map) or faces[-1])
    return faces[1:]


def filled(faces: Sequence[FaceParameters | None]) -> list[FaceParameters] | None:
    """The faces, with the first that is seen in place of those before it; ``None`` where none ever is."""
    first = next((face for face in faces if face is not None), None)
    return None if first is None else [face or first for face in faces]
