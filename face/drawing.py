"""Images for people: landmarks and conditionings. They show nothing of the source's own frame."""

from __future__ import annotations

import cv2
import numpy as np

from face.landmarks import LINE_LOOPS, SURFACE_COUNT, Landmarks

_GROUND, _LINE, _POINT = 18, (120, 200, 255), (90, 110, 130)
_SHARE = 0.84  # of the tile that the face fills


def draw_landmarks(landmarks: Landmarks | None, size: int) -> np.ndarray:
    """Landmarks on a dark ground, ``[size, size, 3]`` uint8 RGB, the face filling the tile; empty without a face."""
    image = np.full((size, size, 3), _GROUND, np.uint8)
    if landmarks is None:
        return image
    surface = landmarks.points[:SURFACE_COUNT]
    low, high = surface.min(0), surface.max(0)
    scale = size * _SHARE / (high - low).max()
    points = np.round((landmarks.points - (low + high) / 2) * scale + size / 2).astype(int)
    across, down = points[:SURFACE_COUNT].T
    image[down, across] = _POINT
    for loop in LINE_LOOPS:
        cv2.polylines(image, [points[list(loop)]], True, _LINE, 1, cv2.LINE_AA)
    for iris in (points[468:473], points[473:478]):
        radius = int(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        cv2.circle(image, (int(iris[0, 0]), int(iris[0, 1])), max(1, radius), _LINE, 1, cv2.LINE_AA)
    return image


def draw_conditioning(conditioning: np.ndarray) -> np.ndarray:  # [H, W, 6] uint8
    """NMFC with the gaze image on it, ``[H, W, 3]`` uint8 RGB."""
    drawn, gaze = conditioning[..., :3].copy(), conditioning[..., 3:]
    covered = gaze[..., 0] | gaze[..., 1] | gaze[..., 2] > 0
    drawn[covered] = gaze[covered]
    return drawn
