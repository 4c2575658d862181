"""How faithfully a target's faces move: compared as our own tracker and fit see them in both videos (AED, ARD)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from face.fit_batch import fit_video
from face.landmarks import SURFACE_COUNT, Landmarks
from face.morphable import MorphableModel
from face.parameters import UNITS, FaceParameters, gaze_rotation
from face.tracking import FaceTracker


@dataclass(frozen=True)
class FaceScores:
    """Faces against those they should be like, where both are seen.

    Attributes:
        aed: sum over the units of the expressions' absolute difference.
        ard_deg: mean absolute difference of yaw, pitch and roll.
        gaze_deg: angle between the gazes.
        jitter: mean second difference of the landmarks over time, over the other's.
        unseen: share of the images in which no face was found.
    """

    aed: float
    ard_deg: float
    gaze_deg: float
    jitter: float
    unseen: float


def watch(images: np.ndarray, rate: float) -> list[Landmarks | None]:  # [T, H, W, 3] uint8
    """What the tracker sees in a video."""
    tracker = FaceTracker()
    return [tracker.track(image, round(1000 * k / rate)) for k, image in enumerate(images)]


def score_faces(
    model: MorphableModel,
    identity: np.ndarray,  # [IDENTITY_SIZE] of the person shown
    tracked: Sequence[Landmarks | None],
    expected: Sequence[Landmarks | None],
) -> FaceScores:
    """Compare the faces that the tracker saw in a video with those in another of the same person."""
    fitted, expected_fit = (fit_video(model, video, identity=identity) for video in (tracked, expected))
    return _compare(fitted, expected_fit, _jitter(tracked) / _jitter(expected))


def score_driven(
    model: MorphableModel,
    identity: np.ndarray,  # [IDENTITY_SIZE] of the person shown
    tracked: Sequence[Landmarks | None],
    rendered: Sequence[FaceParameters],
) -> FaceScores:
    """Compare the faces that the tracker saw in a target's images with what its conditionings say.

    Needs no truth, so that it fits cross-reenactment; tracker's and fit's own errors are in it.
    """
    expected_landmarks = [_as_seen(model, face) for face in rendered]
    return _compare(
        fit_video(model, tracked, identity=identity), rendered, _jitter(tracked) / _jitter(expected_landmarks)
    )


def _as_seen(model: MorphableModel, parameters: FaceParameters) -> Landmarks:
    """What a perfect tracker would see; the irises, which move with the gaze, stay at rest."""
    points = model.landmarks_of(model.shape(parameters.identity, parameters.expression))
    return Landmarks(parameters.camera.project(points)[:, :2], parameters.expression[UNITS], 0, 0)


def _compare(
    fitted: Sequence[FaceParameters | None], expected: Sequence[FaceParameters | None], jitter: float
) -> FaceScores:
    pairs = [(a, b) for a, b in zip(fitted, expected, strict=True) if a is not None and b is not None]
    return FaceScores(
        aed=float(np.mean([np.abs(a.expression - b.expression).sum() for a, b in pairs])),
        ard_deg=float(np.mean([np.abs(a.camera.euler_deg - b.camera.euler_deg) for a, b in pairs])),
        gaze_deg=float(np.mean([_angle_deg(a.gaze, b.gaze) for a, b in pairs])),
        jitter=jitter,
        unseen=sum(face is None for face in fitted) / len(fitted),
    )


def _angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two gazes ``[2]`` degrees."""
    return float(np.degrees(np.arccos(np.clip(gaze_rotation(a)[:, 2] @ gaze_rotation(b)[:, 2], -1, 1))))


def _jitter(tracked: Sequence[Landmarks | None]) -> float:
    """Mean second difference of the landmarks over the inter-ocular distance."""
    return float(np.mean(list(_second_differences(tracked))))


def _second_differences(tracked: Sequence[Landmarks | None]) -> Iterator[float]:
    for a, b, c in zip(tracked, tracked[1:], tracked[2:], strict=False):
        if a is not None and b is not None and c is not None:
            points = [face.points[:SURFACE_COUNT] for face in (a, b, c)]
            yield float(np.abs(points[0] - 2 * points[1] + points[2]).mean() / b.interocular_px)
