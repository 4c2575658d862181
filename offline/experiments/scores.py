"""Scores frame by frame, so that they can be compared frame by frame, and on the frames that matter."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from face.landmarks import INNER_LIPS, MOUTH_CORNERS
from face.morphable import MorphableModel
from offline.dataset.mouth_and_eye_windows import part_window
from offline.dataset.pixel_error import distances
from offline.experiments.kept_results import cell
from offline.experiments.setup import at_takes
from offline.experiments.subjects import Subject
from offline.flow.optical_flow import estimated_flow, warp_image

APD, MOUTH_APD, EYES_APD, WARPING = "APD", "mouth APD", "eyes APD", "warping error"
_TEETH_SHARE = 0.16  # of the open mouth that is bright and pale
_BRIGHT, _PALE = 60, 70  # least value, greatest saturation of teeth, of 255
_OPEN = 0.05  # least area inside the lips of an open mouth, over the square of its width
_FAST = 75  # percentile of motion


def scores_of(subject: Subject, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """``score_frames`` of outputs that lie in a file, computed once."""
    return cell(outputs, "scores", lambda: score_frames(subject, outputs))


def score_frames(subject: Subject, images: np.ndarray) -> dict[str, np.ndarray]:
    """Scores ``[T]`` of outputs ``[T, H, W, 3]`` uint8 for the held-out frames; NaN where a frame has none.

    APD is each pixel's Euclidean distance of RGB 0…255, the mean over image, mouth or eyes. The warping error is that
    of an output from the one before, moved along the truth's optical flow.
    """
    dataset, numbers = subject.dataset, subject.held_out
    size = int(dataset.frames.shape[1])
    scores: dict[str, list[float]] = {name: [] for name in (APD, MOUTH_APD, EYES_APD)}
    for number, image in zip(numbers, images, strict=True):
        distance = distances(np.asarray(image), dataset.frames[number])
        scores[APD].append(float(distance.mean()))
        for name, middles in ((MOUTH_APD, dataset.mouths), (EYES_APD, dataset.eyes)):
            scores[name].append(float(distance[part_window(middles[number], size)].mean()))
    warping = [_warping(take, truth) for take, truth in zip(at_takes(subject, images), _truths(subject), strict=True)]
    return {name: np.array(values) for name, values in scores.items()} | {WARPING: np.concatenate(warping)}


def _truths(subject: Subject) -> list[np.ndarray]:
    return [subject.dataset.frames[first:last] for first, last in subject.takes]


def _warping(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Warping error ``[t]`` of a take; the first frame has none."""
    errors = [float("nan")]
    for earlier, now in itertools.pairwise(range(len(images))):
        moved = warp_image(images[earlier], estimated_flow(truth[now], truth[earlier]))
        errors.append(float(distances(images[now], moved).mean()))
    return np.array(errors)


def teeth_frames(model: MorphableModel, subject: Subject) -> np.ndarray:
    """Which held-out frames show teeth, ``[T]`` bool: much of the open mouth is bright and pale."""
    return np.array([_shows_teeth(model, subject, int(number)) for number in subject.held_out])


def _shows_teeth(model: MorphableModel, subject: Subject, number: int) -> bool:
    frame = np.asarray(subject.dataset.frames[number])
    face = subject.dataset.face(number)
    points = face.camera.project(model.landmarks_of(model.shape(face.identity, face.expression)))[:, :2]
    lips, (right, left) = points[list(INNER_LIPS)], points[list(MOUTH_CORNERS)]
    if cv2.contourArea(lips.astype(np.float32)) < _OPEN * float(((right - left) ** 2).sum()):
        return False
    inside = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(lips * 256).astype(np.int32)], 1, shift=8)
    _, saturation, value = np.moveaxis(cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)[inside > 0], -1, 0)
    return bool(((value > _BRIGHT) & (saturation < _PALE)).mean() > _TEETH_SHARE)


def fast_frames(subject: Subject) -> np.ndarray:
    """The quarter of the held-out frames in which mouth and eyes move most, ``[T]`` bool."""
    dataset = subject.dataset
    motion = []
    for first, last in subject.takes:
        places = np.stack([dataset.mouths[first:last], dataset.eyes[first:last]], 1)
        steps = np.linalg.norm(np.diff(places, axis=0), axis=-1).mean(1)
        motion.append(np.concatenate([[0.0], steps]))
    together = np.concatenate(motion)
    return together > np.percentile(together, _FAST)
