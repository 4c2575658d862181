"""A rotated square of an image: the crop that a network sees, and the way back to the image's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_ROOM = 1.5  # of a face's longer side, in which its landmarks are looked for


@dataclass(frozen=True)
class Region:
    """A rotated square of an image.

    Attributes:
        center: ``[2]`` px.
        side: px.
        angle: rad, clockwise as seen in the image.
    """

    center: np.ndarray
    side: float
    angle: float = 0.0

    def crop(self, image: np.ndarray, size: int, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
        """The square as an image of its own, ``[size, size, 3]`` uint8, upright.

        Args:
            image: ``[H, W, 3]`` uint8.
            size: px.
            border: what lies beyond the image, as OpenCV names it.
        """
        # MediaPipe's networks were trained on crops whose corners, not the middles of their pixels, meet the square's.
        linear = self._axes() * (self.side / size)
        matrix = np.column_stack([linear, self.center - linear @ np.full(2, size / 2)])
        return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=border)  # fmt: skip

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points ``[…, 2]`` of the crop, 0…1 from its upper left corner, in the image's pixels."""
        return self.center + (points - 0.5) @ self._axes().T * self.side

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """The way back from ``to_image``: points ``[…, 2]`` px in the crop, 0…1 from its upper left corner."""
        return (points - self.center) @ self._axes() / self.side + 0.5

    def _axes(self) -> np.ndarray:
        """The crop's axes as columns, ``[2, 2]``."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])


def around(low: np.ndarray, high: np.ndarray, eyes: np.ndarray) -> Region:
    """The square in which to look for the landmarks of a face, turned with the eyes.

    Args:
        low: upper left corner of the face, ``[2]`` px.
        high: lower right one.
        eyes: the right and the left, ``[2, 2]`` px; the line between them lies level in the crop.
    """
    across, down = eyes[1] - eyes[0]
    return Region((low + high) / 2, _ROOM * float((high - low).max()), float(np.arctan2(down, across)))
