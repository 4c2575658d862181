"""Landmarks from an image, as MediaPipe's face landmarker finds them, from the model file that ships.

MediaPipe's own package runs the same networks on one thread in twice the time, and reports its use to Google
(github.com/google-ai-edge/mediapipe/issues/6291), which nobody before a camera has agreed to.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from face.detector import FaceDetector
from face.landmarker import Landmarker
from face.landmarks import EYE_CORNERS, LEFT_EYE, RIGHT_EYE, EyeImage, Landmarks
from face.recognize_person import ABSENT_S, KnownPerson
from face.region import Region, around
from face.skin_colors import skin_colors
from face.smoothing import OneEuroFilter

_CANDIDATES = 4  # faces among which the largest is looked for
_EYES = np.array([*LEFT_EYE, *RIGHT_EYE])
_AROUND_EYES = 0.3  # of the eyes' distance, shown beyond their points


class FaceTracker:
    """Follows the largest face or a person's through a video, or finds the largest in single images.

    Args:
        video: frames follow each other: the face is looked for where it was, and its points are smoothed over time;
            otherwise every image is searched anew.
        person: who is looked for, among others, once a face was found; ``None`` for nobody in particular.

    Raises:
        UserError: the tracker's model file is missing.
    """

    def __init__(self, video: bool = True, person: KnownPerson | None = None) -> None:
        self._detector, self._landmarker = FaceDetector(), Landmarker()
        self._video, self._person = video, person
        self._region: Region | None = None  # where the followed face is looked for
        self._filter = OneEuroFilter()
        self._last_ms = -1

    def track(self, image: np.ndarray, time_ms: int = 0) -> Landmarks | None:  # [H, W, 3] uint8 RGB
        """Landmarks of the face, or ``None`` when there is none.

        ``time_ms`` is the capture time; in video mode a time that does not advance is taken as one later.
        """
        if self._person is not None and self._person.is_gone(time_ms / 1000):
            self._region = None
        if self._region is None:
            points = self._search(image, time_ms / 1000)
            self._filter = OneEuroFilter()
        else:
            points = self._landmarker.points(image, self._region)
        if points is None:
            self._region = None
            return None
        if self._video:
            self._last_ms = max(time_ms, self._last_ms + 1)
            self._region = around(points.min(0), points.max(0), points[list(EYE_CORNERS)])
            points = self._filter.smooth(points, self._last_ms / 1000)
        return self._landmarks(image, points)

    def reset(self) -> None:
        """Look for the largest face."""
        self._region = None

    def count(self, image: np.ndarray) -> int:  # [H, W, 3] uint8 RGB
        """How many faces fill a good part of a frame, up to ``_CANDIDATES``; what is followed stays as it is."""
        return len(self._faces(image, self._detector.find))

    def _search(self, image: np.ndarray, time_s: float) -> np.ndarray | None:
        """Points ``[478, 2]`` px of the face to follow; small ones are looked for where there is no large one."""
        for find in (self._detector.find, self._detector.find_small):
            points = self._choose(image, self._faces(image, find), time_s)
            if points is not None:
                return points
        return None

    def _choose(self, image: np.ndarray, faces: list[np.ndarray], time_s: float) -> np.ndarray | None:
        """The face most like the person; the largest if the person is not there for long, or not known yet."""
        person = self._person
        if person is not None and person.known:
            likely = [(person.unlikeness(self._landmarks(image, points)), points) for points in faces]
            likely = [(unlikeness, points) for unlikeness, points in likely if person.is_like(unlikeness)]
            if likely or person.absent_s(time_s) < ABSENT_S:
                return min(likely, key=lambda candidate: candidate[0])[1] if likely else None
        return max(faces, key=lambda points: np.ptp(points, axis=0).prod(), default=None)

    def _faces(self, image: np.ndarray, find: Callable[[np.ndarray, int], list[Region]]) -> list[np.ndarray]:
        """Points ``[478, 2]`` px of each face."""
        regions = find(image, _CANDIDATES)
        return [points for region in regions if (points := self._landmarker.points(image, region)) is not None]

    def _landmarks(self, image: np.ndarray, points: np.ndarray) -> Landmarks:
        height, width = image.shape[:2]
        scores, colors = self._landmarker.units(points), skin_colors(image, points)
        return Landmarks(points, scores, width, height, _eyes(image, points), colors)


def _eyes(image: np.ndarray, points: np.ndarray) -> EyeImage:
    height, width = image.shape[:2]
    (low_x, low_y), (high_x, high_y) = points[_EYES].min(0), points[_EYES].max(0)
    (right_x, right_y), (left_x, left_y) = points[list(EYE_CORNERS)]
    margin = _AROUND_EYES * math.hypot(left_x - right_x, left_y - right_y)
    # Eyes beyond the image's border leave its last row or column.
    left, right = _inside(low_x - margin, high_x + margin, width)
    top, bottom = _inside(low_y - margin, high_y + margin, height)
    return EyeImage(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY), left, top)


def _inside(low: float, high: float, size: int) -> tuple[int, int]:
    """First pixel of a range, and the first not of it, at least one inside."""
    first = min(max(int(low), 0), size - 1)
    return first, min(max(int(high) + 1, first + 1), size)
