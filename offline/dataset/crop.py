"""The square that is cut from every frame of a video."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from face.camera import ScaledOrthographicCamera
from face.landmarks import Landmarks
from face.parameters import FaceParameters

_CROP_OVER_FACE = 2.1  # side of the square crop over the height of the face's landmarks


@dataclass(frozen=True)
class Crop:
    """The square cut from every frame: left, top and side in px of the video, and the size it is scaled to."""

    left: int
    top: int
    side: int
    size: int

    def image(self, frame: np.ndarray) -> np.ndarray:  # [H, W, 3] uint8
        """The cut, ``[size, size, 3]`` uint8."""
        cut = frame[self.top : self.top + self.side, self.left : self.left + self.side]
        method = cv2.INTER_AREA if self.side > self.size else cv2.INTER_CUBIC
        return cv2.resize(cut, (self.size, self.size), interpolation=method)

    def parameters(self, face: FaceParameters) -> FaceParameters:
        """Parameters of the whole frame, in the cut's px."""
        factor = self.size / self.side
        camera = face.camera
        translation = (camera.translation - [self.left, self.top]) * factor
        moved_camera = ScaledOrthographicCamera(camera.rotation, camera.scale * factor, translation)
        return FaceParameters(face.identity, face.expression, moved_camera, face.gaze)


def choose_crop(landmarks: list[Landmarks], size: int) -> Crop:
    """One crop for the whole video: median face, square, margin, within the image."""
    boxes = np.array([[*face.points.min(0), *face.points.max(0)] for face in landmarks])
    left, top, right, bottom = np.median(boxes, axis=0)
    width, height = landmarks[0].width, landmarks[0].height
    side = int(min(_CROP_OVER_FACE * (bottom - top), width, height))
    x = np.clip((left + right) / 2 - side / 2, 0, width - side)
    y = np.clip((top + bottom) / 2 - side * 0.52, 0, height - side)
    return Crop(int(round(x)), int(round(y)), side, size)
