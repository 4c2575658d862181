"""The page's small pictures. The source's picture itself never leaves the machine."""

from __future__ import annotations

import cv2
import numpy as np

from face.landmarks import FACE_OVAL, INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE, Landmarks
from live.frames import Conditioned

SIZE = 192
_LOOPS = (FACE_OVAL, OUTER_LIPS, INNER_LIPS, LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW)
_LINE, _POINT = (120, 200, 255), (90, 110, 130)


def draw_landmarks(landmarks: Landmarks | None) -> np.ndarray:
    """The source's landmarks on a dark ground, ``[192, 192, 3]`` uint8 RGB, the face filling the tile."""
    image = np.full((SIZE, SIZE, 3), 18, np.uint8)
    if landmarks is None:
        return image
    low, high = landmarks.points[:468].min(0), landmarks.points[:468].max(0)
    scale = SIZE * 0.84 / (high - low).max()
    points = np.round((landmarks.points - (low + high) / 2) * scale + SIZE / 2).astype(int)
    for x, y in points[:468]:
        cv2.circle(image, (int(x), int(y)), 0, _POINT, -1)
    for loop in _LOOPS:
        cv2.polylines(image, [points[list(loop)]], True, _LINE, 1, cv2.LINE_AA)
    for iris in (points[468:473], points[473:478]):
        radius = int(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        cv2.circle(image, (int(iris[0, 0]), int(iris[0, 1])), max(1, radius), _LINE, 1, cv2.LINE_AA)
    return image


def draw_conditioning(conditioning: np.ndarray) -> np.ndarray:  # [H, W, 6] uint8
    """NMFC with the gaze image on it, ``[192, 192, 3]`` uint8 RGB."""
    gaze = conditioning[..., 3:]
    picture = np.where(gaze.any(-1, keepdims=True), gaze, conditioning[..., :3])
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def encode_tiles(conditioned: Conditioned) -> bytes:
    """Both tiles side by side as one JPEG, ``192 × 384`` px."""
    pair = np.hstack([draw_landmarks(conditioned.landmarks), draw_conditioning(conditioned.conditioning)])
    return cv2.imencode(".jpg", cv2.cvtColor(pair, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
