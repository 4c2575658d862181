"""Whose face outputs show: by the rigid shape that their landmarks fit, and by a face recognizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face.fit_identity import fit_identity
from face.fitting import FitSettings, LandmarkBasis
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from offline.evaluate.face_metrics import watch
from offline.evaluate.identity import FaceRecognizer
from offline.experiments.setup import Setup
from offline.experiments.subjects import Subject

_MM = 100.0  # in a model unit
_REFERENCE_FRAMES = 25  # of a person's footage, for the recognizer


@dataclass(frozen=True)
class Kept:
    """How near outputs are to the person who should be seen, and to the one who drives; ``None`` if no face is seen.

    Attributes:
        target_mm, source_mm: mean distance of the faces' landmarks at rest, size and place put aside.
        target_cosine, source_cosine: the recognizer's similarity, where there is one.
        seen: share of the outputs in which the tracker found a face.
    """

    target_mm: float | None
    source_mm: float | None
    target_cosine: float | None
    source_cosine: float | None
    seen: float


def identity_kept(setup: Setup, source: Subject, target: Subject, outputs: np.ndarray) -> Kept:
    """Whose face outputs ``[T, H, W, 3]`` uint8 show that a source drove with a target's network."""
    tracked = watch(outputs, float(target.dataset.manifest["rate"]))
    faces = [face for face in tracked if face is not None]
    seen = len(faces) / len(tracked)
    if not faces:
        return Kept(None, None, None, None, seen)
    identity = fit_identity(LandmarkBasis(setup.model), faces, FitSettings())
    millimeters = [
        shape_distance_mm(setup.model, identity, person.dataset.parameters["identity"]) for person in (target, source)
    ]
    cosines = [
        None if setup.recognizer is None else _cosine(setup.recognizer, outputs, tracked, person)
        for person in (target, source)
    ]
    return Kept(millimeters[0], millimeters[1], cosines[0], cosines[1], seen)


def shape_distance_mm(model: MorphableModel, a: np.ndarray, b: np.ndarray) -> float:  # [IDENTITY_SIZE] each
    """Mean distance of two identities' inner landmarks at rest, the second moved, turned and scaled onto the first."""
    mean, directions, _ = model.landmark_bases
    shapes = [(mean + np.tensordot(identity, directions, 1))[inner_face()] for identity in (a, b)]
    first, second = (shape - shape.mean(0) for shape in shapes)
    u, sizes, vt = np.linalg.svd(second.T @ first)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (sizes * signs).sum() / (second**2).sum()
    return float(np.linalg.norm(first - scale * second @ (u * signs) @ vt, axis=1).mean() * _MM)


def _cosine(
    recognizer: FaceRecognizer, outputs: np.ndarray, tracked: list[Landmarks | None], person: Subject
) -> float | None:
    """Mean similarity of outputs and a person's training frames; ``None`` where those show no face."""
    first, last = person.dataset.train[0]
    frames = np.asarray(person.dataset.frames[first : min(last, first + _REFERENCE_FRAMES)])
    faces = zip(frames, watch(frames, float(person.dataset.manifest["rate"])), strict=True)
    embeddings = [recognizer.embedding(frame, face) for frame, face in faces if face is not None]
    if not embeddings:
        return None
    reference = np.mean(embeddings, axis=0)
    return recognizer.similarity(outputs, tracked, reference / np.linalg.norm(reference))
