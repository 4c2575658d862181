"""A face's points and how far each of its units acts, where a detector has seen it: MediaPipe's networks for both."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from face.landmarks import COUNT, UNIT_NAMES
from face.region import Region
from face.tflite import Network

_SIDE = 256  # px, of the crop that the network sees
_MIN_PRESENCE = 0.5
# The points that the units' network reads.
_READ = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
])  # fmt: skip


class Landmarker:
    """Reads a face.

    Raises:
        UserError: the networks' file is missing.
    """

    def __init__(self) -> None:
        self._points = Network("face_landmarks_detector")
        self._units = Network("face_blendshapes")

    def points(self, image: np.ndarray, region: Region) -> np.ndarray | None:
        """The face's points ``[478, 2]`` px in an image ``[H, W, 3]`` uint8 RGB; ``None`` where there is no face."""
        crop = region.crop(image, _SIDE).astype(np.float32) / 255
        places, presence, _ = self._points(crop[None])
        if expit(presence.item()) < _MIN_PRESENCE:
            return None
        return region.to_image(places.reshape(COUNT, 3)[:, :2].astype(float) / _SIDE)

    def units(self, points: np.ndarray) -> np.ndarray:
        """How far each of the 52 units of ``UNIT_NAMES`` acts, ``[52]`` 0…1, from the face's points ``[478, 2]`` px."""
        (scores,) = self._units(points[_READ][None].astype(np.float32))
        # The network's first tells of the neutral face; it does not know tongueOut, our last.
        return np.append(scores[1:], np.zeros(len(UNIT_NAMES) - len(scores) + 1))
