"""The colors of a face, point by point: they stay with a person, whatever the expression, until something covers them.

Landmarks follow the skin, so the image under each shows the same spot in every frame. A hand, a microphone or another
person's face has other colors there.
"""

from __future__ import annotations

import cv2
import numpy as np

from face.landmarks import EYE_CORNERS, SURFACE_COUNT, inner_face
from face.region import around

_SIDE, _BLUR = 128, 5  # px: of the crop that colors are read from, and of the mean around each point
_DARK = 12.0  # levels added before the logarithm, so that noise in shadows does not count
_ADAPT_S = 4.0  # how fast colors follow light and pose …
_ADAPT_COVERED_S = 30.0  # … and points that look covered: a new beard or lamp is not held against a person for ever
COVERED = 0.5  # natural logarithm: a point whose color differs by more is covered


def skin_colors(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colors under the landmarks ``[468, 3]`` uint8.

    Args:
        image: ``[H, W, 3]`` uint8 RGB.
        points: ``[478, 2]`` px.
    """
    region = around(points.min(0), points.max(0), points[list(EYE_CORNERS)])
    crop = cv2.blur(region.crop(image, _SIDE), (_BLUR, _BLUR))
    columns, rows = (region.to_crop(points[:SURFACE_COUNT]) * _SIDE).astype(int).clip(0, _SIDE - 1).T
    return crop[rows, columns]


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
        return 0.0 if self._usual is None else float(np.median(np.abs(self._change(colors)).max(1)[self._inner]))

    def follow(self, colors: np.ndarray, elapsed_s: float) -> np.ndarray:
        """How much each point of the followed face differs from its usual color, which then moves towards it.

        Args:
            colors: ``[468, 3]`` uint8.
            elapsed_s: since the frame before.

        Returns:
            ``[468]`` natural logarithm; the light's color is taken out.
        """
        if self._usual is None:
            self._usual = _logarithm(colors)
            return np.zeros(len(colors))
        self._seen_s += elapsed_s
        change = self._change(colors)
        difference: np.ndarray = np.abs(change).max(1)
        self.followed_unlikeness = float(np.median(difference[self._inner]))
        slowness_s = np.where(difference > COVERED, _ADAPT_COVERED_S, np.minimum(self._seen_s, _ADAPT_S))
        if elapsed_s > 0:
            self._usual = self._usual + np.minimum(elapsed_s / slowness_s, 1.0)[:, None] * change
        return difference

    def _change(self, colors: np.ndarray) -> np.ndarray:
        change = _logarithm(colors) - self._usual
        return change - np.median(change[self._inner], axis=0)


def _logarithm(colors: np.ndarray) -> np.ndarray:
    return np.log(colors + _DARK)
