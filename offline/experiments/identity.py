"""Whose face outputs show: by the rigid shape that their landmarks fit, and by a face recognizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face.fit_joint_identity import fit_identity
from face.fitting import FitSettings, LandmarkBasis
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from offline.evaluate.face_metrics import watch
from offline.evaluate.identity import FaceRecognizer
from offline.experiments.kept_results import cell
from offline.experiments.setup import Setup, digest
from offline.experiments.subjects import Subject

_MM = 100.0  # in a model unit
_REFERENCE_FRAMES = 25  # of a person's footage, for the recognizer


@dataclass(frozen=True)
class Kept:
    """How near outputs are to the person who should be seen, and to the one who drives; NaN where that is not known.

    Attributes:
        target_mm, source_mm: mean distance of the faces' landmarks at rest, size and place put aside.
        target_cosine, source_cosine: the recognizer's similarity, where there is one.
        seen: share of the outputs in which the tracker found a face.
    """

    target_mm: float
    source_mm: float
    target_cosine: float
    source_cosine: float
    seen: float


def identity_kept(setup: Setup, source: Subject, target: Subject, outputs: np.ndarray) -> Kept:
    """Whose face outputs ``[T, H, W, 3]`` uint8 show that a source drove with a target's network; computed once."""
    name = f"identity-{digest({'recognizer': setup.recognizer.hash if setup.recognizer else None})}"
    values = cell(outputs, name, lambda: _compared(setup, source, target, outputs))
    return Kept(**{key: float(value) for key, value in values.items()})


def _compared(setup: Setup, source: Subject, target: Subject, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """The attributes of ``Kept``, ``[]`` float64."""
    tracked = watch(outputs, float(target.dataset.manifest["rate"]))
    faces = [face for face in tracked if face is not None]
    values = dict.fromkeys(("target_mm", "source_mm", "target_cosine", "source_cosine"), np.nan)
    if faces:
        identity = fit_identity(LandmarkBasis(setup.model), faces, FitSettings())
        for role, person in (("target", target), ("source", source)):
            expected = person.dataset.parameters["identity"]
            values[f"{role}_mm"] = shape_distance_mm(setup.model, identity, expected)
            if setup.recognizer is not None:
                values[f"{role}_cosine"] = _cosine(setup.recognizer, outputs, tracked, person)
    return {name: np.array(value) for name, value in (values | {"seen": len(faces) / len(tracked)}).items()}


def shape_distance_mm(model: MorphableModel, a: np.ndarray, b: np.ndarray) -> float:  # [IDENTITY_SIZE] each
    """Mean distance of two identities' inner landmarks at rest, the second moved, turned and scaled onto the first."""
    mean, directions, _ = model.landmark_bases
    shapes = [(mean + np.tensordot(identity, directions, 1))[inner_face()] for identity in (a, b)]
    first, second = (shape - shape.mean(0) for shape in shapes)
    u, sizes, vt = np.linalg.svd(second.T @ first)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (sizes * signs).sum() / (second**2).sum()
    return float(np.linalg.norm(first - scale * second @ (u * signs) @ vt, axis=1).mean() * _MM)


def _cosine(recognizer: FaceRecognizer, outputs: np.ndarray, tracked: list[Landmarks | None], person: Subject) -> float:
    """Mean similarity of outputs and a person's training frames; NaN where those show no face."""
    first, last = person.dataset.train[0]
    frames = np.asarray(person.dataset.frames[first : min(last, first + _REFERENCE_FRAMES)])
    faces = zip(frames, watch(frames, float(person.dataset.manifest["rate"])), strict=True)
    embeddings = [recognizer.embedding(frame, face) for frame, face in faces if face is not None]
    if not embeddings:
        return float("nan")
    reference = np.mean(embeddings, axis=0)
    return recognizer.similarity(outputs, tracked, reference / np.linalg.norm(reference))
