"""One move of the image for a whole sequence: zoomed, turned and shifted, frames and faces alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from face.camera import ScaledOrthographicCamera
from face.parameters import FaceParameters


@dataclass(frozen=True)
class Similarity:
    """A move of a square image of ``size`` px: about its middle by a factor and a turn (clockwise), then a shift."""

    size: int
    factor: float
    turn_deg: float
    shift_px: np.ndarray  # [2] x, y

    @property
    def _turn(self) -> np.ndarray:  # [2, 2], of images' x and y
        angle = np.radians(self.turn_deg)
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def points(self, points: np.ndarray) -> np.ndarray:
        """Where points ``[N, 2]`` px go."""
        middle = self.size / 2
        return (points - middle) @ (self.factor * self._turn).T + middle + self.shift_px

    def image(self, image: np.ndarray) -> np.ndarray:  # [size, size, C]
        """The image, moved; what comes in from outside is mirrored at the border."""
        linear = self.factor * self._turn
        # OpenCV counts from the middle of the first pixel, we from its corner.
        offset = self.points(np.array([[0.5, 0.5]]))[0] - 0.5
        moved: np.ndarray = cv2.warpAffine(
            image, np.column_stack([linear, offset]), (self.size, self.size), borderMode=cv2.BORDER_REFLECT_101
        )
        return moved

    def flow(self, flow: np.ndarray) -> np.ndarray:  # [size, size, 2] float32 px
        """The flow between two images as it is between the two moved ones."""
        moved: np.ndarray = self.image(flow) @ (self.factor * self._turn).T.astype(np.float32)
        return moved

    def face(self, parameters: FaceParameters) -> FaceParameters:
        """The face as it is in the moved image."""
        camera = parameters.camera
        turn = np.eye(3)
        turn[:2, :2] = self._turn.T  # the model's y points up
        moved = ScaledOrthographicCamera(
            turn @ camera.rotation, camera.scale * self.factor, self.points(camera.translation[None])[0]
        )
        return replace(parameters, camera=moved)


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How far sequences are moved at random, each as a whole: standard deviations; none by default.

    Attributes:
        zoom: of the logarithm of the factor.
        turn_deg: of the turn.
        shift: of the shift, over the image's size.
    """

    zoom: float = 0.0
    turn_deg: float = 0.0
    shift: float = 0.0

    def draw(self, rng: np.random.Generator, size: int) -> Similarity | None:
        """A move of images of ``size`` px, within two deviations; ``None`` where there is none."""
        if self == Augmentation():
            return None
        chance = np.clip(rng.normal(size=4), -2, 2)
        return Similarity(size, float(np.exp(self.zoom * chance[0])), self.turn_deg * float(chance[1]),
                          self.shift * size * chance[2:])  # fmt: skip
