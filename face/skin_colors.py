"""The colors of a face, point by point: they stay with a person, whatever the expression, until something covers them.

Landmarks follow the skin, so the image under each shows the same spot in every frame. A hand, a microphone or another
person's face has other colors there.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from face.landmarks import EYE_CORNERS, SURFACE_COUNT, inner_face

_REACH = 2  # samples each way of a point, whose mean is its color …
_STEP = 1 / 85  # … and the distance between two, in sides of the face
_DARK = 12.0  # levels added before the logarithm, so that noise in shadows does not count
_ADAPT_S = 4.0  # how fast colors follow light and pose …
_ADAPT_COVERED_S = 30.0  # … and points that look covered: a new beard or lamp is not held against a person for ever
COVERED = 0.5  # natural logarithm: a point whose color differs by more is covered
_LOGARITHMS = np.log(np.arange(256) + _DARK)


def skin_colors(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colors under the landmarks ``[468, 3]`` uint8.

    Args:
        image: ``[H, W, 3]`` uint8 RGB.
        points: ``[478, 2]`` px.
    """
    across, down = points[EYE_CORNERS[1]] - points[EYE_CORNERS[0]]
    step = _STEP * np.ptp(points, axis=0).max() / np.hypot(across, down)
    return _means(image, points[:SURFACE_COUNT], step * across, step * down)


@njit(cache=True, nogil=True)
def _means(image: np.ndarray, points: np.ndarray, across: float, down: float) -> np.ndarray:
    """Mean colors of a square of samples around each point; ``(across, down)`` px is from one to the next."""
    height, width = image.shape[:2]
    colors = np.empty((len(points), 3), np.uint8)
    for n in range(len(points)):
        red, green, blue, count = 0, 0, 0, 0
        for a in range(-_REACH, _REACH + 1):
            for b in range(-_REACH, _REACH + 1):
                j = min(max(int(points[n, 0] + a * across - b * down), 0), width - 1)
                i = min(max(int(points[n, 1] + a * down + b * across), 0), height - 1)
                red, green, blue = red + image[i, j, 0], green + image[i, j, 1], blue + image[i, j, 2]
                count += 1
        colors[n, 0], colors[n, 1], colors[n, 2] = red // count, green // count, blue // count
    return colors


class SkinColors:
    """What the points of one face usually look like.

    Attributes:
        followed_unlikeness: ``unlikeness`` of the last face that was followed.
    """

    def __init__(self) -> None:
        self._inner = inner_face()
        self.reset()

    def reset(self) -> None:
        """Forget the face."""
        self._usual: np.ndarray | None = None
        self.followed_unlikeness = 0.0
        self._seen_s = 0.0  # for how long the face was seen

    @property
    def seen_s(self) -> float:
        """For how many seconds the face was seen."""
        return self._seen_s

    def unlikeness(self, colors: np.ndarray) -> float:  # [468, 3] uint8
        """How much a face's colors differ as a whole: the median point's difference; 0 before anything is known."""
        return 0.0 if self._usual is None else _compare(colors, self._usual, self._inner)[2]

    def follow(self, colors: np.ndarray, elapsed_s: float) -> np.ndarray:
        """How much each point of the followed face differs from its usual color, which then moves towards it.

        Args:
            colors: ``[468, 3]`` uint8.
            elapsed_s: since the frame before.

        Returns:
            ``[468]`` natural logarithm; the light's color is taken out.
        """
        if self._usual is None:
            self._usual = _LOGARITHMS[colors]
            return np.zeros(len(colors))
        self._seen_s += elapsed_s
        change, difference, self.followed_unlikeness = _compare(colors, self._usual, self._inner)
        slowness_s = np.where(difference > COVERED, _ADAPT_COVERED_S, np.minimum(self._seen_s, _ADAPT_S))
        if elapsed_s > 0:
            self._usual = self._usual + np.minimum(elapsed_s / slowness_s, 1.0)[:, None] * change
        return difference


@njit(cache=True, nogil=True)
def _compare(colors: np.ndarray, usual: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """How a face's colors differ from the usual, without the light's: change, size of it, and the median's size.

    Args:
        colors: ``[468, 3]`` uint8.
        usual: ``[468, 3]`` natural logarithm.
        inner: indices of the points that count in medians.

    Returns:
        ``[468, 3]``, ``[468]`` and a number.
    """
    change = np.empty(usual.shape)
    size = np.zeros(len(usual))
    for k in range(3):
        for n in range(len(usual)):
            change[n, k] = _LOGARITHMS[colors[n, k]] - usual[n, k]
        change[:, k] -= np.median(change[:, k][inner])
        size = np.maximum(size, np.abs(change[:, k]))
    return change, size, np.median(size[inner])
