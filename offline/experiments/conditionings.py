"""Other conditionings than the product's: without the gaze image, without teeth, drawn landmarks."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from face.conditioning import CHANNELS, CpuConditioning
from face.landmarks import LINE_LOOPS, Landmarks
from offline.dataset.dataset import Dataset
from offline.evaluate.face_metrics import watch
from offline.experiments.setup import Setup
from offline.experiments.subjects import Subject

_SUBPIXEL_BITS = 4


def without_gaze(setup: Setup, dataset: Dataset) -> Iterator[np.ndarray]:
    """The dataset's own conditionings, the gaze image left black."""
    for conditioning in dataset.conditionings:
        image = np.array(conditioning)
        image[..., 3:] = 0
        yield image


def without_teeth(setup: Setup, dataset: Dataset) -> Iterator[np.ndarray]:
    """The dataset's conditionings, the mouth left black."""
    renderer = CpuConditioning(setup.model, int(dataset.frames.shape[1]))
    for number in range(len(dataset.frames)):
        yield renderer.render(dataset.face(number))


def drawn_landmarks(setup: Setup, dataset: Dataset) -> Iterator[np.ndarray]:
    """The tracker's landmarks in each frame, drawn as lines; the last ones where it sees no face."""
    size = int(dataset.frames.shape[1])
    for points in filled_points(watch(dataset.frames, float(dataset.manifest["rate"])), size):
        yield draw(points, size)


def filled_points(tracked: list[Landmarks | None], size: int) -> list[np.ndarray]:
    """Points ``[478, 2]`` px of each frame; the last ones where no face is, out of sight before the first."""
    points: list[np.ndarray] = []
    for face in tracked:
        nowhere = np.full((478, 2), -float(size))
        points.append(face.points if face is not None else points[-1] if points else nowhere)
    return points


def draw(points: np.ndarray, size: int) -> np.ndarray:  # [478, 2] px
    """Landmarks as lines on black, ``[size, size, 6]`` uint8 as a conditioning; its last three channels are black."""
    lines = np.zeros((size, size, 3), np.uint8)
    for number, loop in enumerate(LINE_LOOPS):
        color = tuple(int(255 * bool((number + 1) & bit)) for bit in (1, 2, 4))
        # OpenCV counts from the middle of the first pixel, we from its corner.
        corners = np.round((points[list(loop)] - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.polylines(lines, [corners], True, color, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return np.concatenate([lines, np.zeros((size, size, CHANNELS - 3), np.uint8)], axis=-1)


def registered_landmarks(setup: Setup, source: Subject, target: Subject) -> list[np.ndarray]:
    """The source's landmarks of each held-out take, moved rigidly onto the target and drawn, as the paper did.

    One similarity transform takes the source's mean landmarks to the target's: identity stays the source's.
    """
    size = int(target.dataset.frames.shape[1])
    of_takes = [
        filled_points(watch(source.dataset.frames[first:last], float(source.dataset.manifest["rate"])), size)
        for first, last in source.takes
    ]
    first, last = target.dataset.train[0]
    known = filled_points(watch(target.dataset.frames[first:last], float(target.dataset.manifest["rate"])), size)
    here = np.concatenate([np.stack(take) for take in of_takes]).mean(0)
    matrix, _ = cv2.estimateAffinePartial2D(here, np.mean(known, axis=0), method=cv2.LMEDS)
    if matrix is None:
        matrix = np.eye(2, 3)
    return [np.stack([draw(points @ matrix[:, :2].T + matrix[:, 2], size) for points in take]) for take in of_takes]
