"""Where faces are in a picture: BlazeFace (Bazarevsky et al. 2019), as MediaPipe runs it."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.special import expit

from face.region import Region, around
from face.tflite import Network

_SIDE = 128  # px, of the picture that the network sees
_GRIDS = ((16, 2), (8, 6))  # cells along a side, and boxes in each
_MIN_SCORE, _MIN_OVERLAP = 0.5, 0.3


class FaceDetector:
    """Finds faces whose size is a good part of the picture's.

    Raises:
        UserError: the network's file is missing.
    """

    def __init__(self) -> None:
        self._network = Network("face_detector")
        centres = [np.repeat(np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2), -1).reshape(-1, 2), boxes, axis=0)
                   for n, boxes in _GRIDS]  # fmt: skip
        self._anchors = np.concatenate(centres)  # [896, 2]

    def find(self, image: np.ndarray, most: int) -> list[Region]:  # [H, W, 3] uint8 RGB
        """Where to look for landmarks, the surest first, at most so many."""
        height, width = image.shape[:2]
        whole = Region(np.array([width, height]) / 2, max(width, height))
        seen = whole.crop(image, _SIDE, cv2.BORDER_CONSTANT)
        raw, logits = self._network(seen[None].astype(np.float32) / 127.5 - 1)
        scores = expit(logits[0, :, 0])
        sure = np.flatnonzero(scores >= _MIN_SCORE)
        # A box's centre, its size, and six points of the face, of which the first are the eyes.
        values = raw[0, sure].reshape(-1, 8, 2) / _SIDE
        values[:, [0, *range(2, 8)]] += self._anchors[sure, None]
        centre, size, points = values[:, :1], values[:, 1:2], values[:, 2:]
        faces = _merged(np.concatenate([centre - size / 2, centre + size / 2, points], 1), scores[sure])[:most]
        return [around(face[0], face[1], face[2:4]) for face in map(whole.to_picture, faces)]


def _merged(points: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Boxes ``[N, 8, 2]`` (two corners, then points) with those that overlap averaged by their scores, surest first."""
    merged = []
    left = np.argsort(-scores)
    while len(left):
        overlap = _overlap(points[left[0], :2], points[left, :2])
        same = (overlap > _MIN_OVERLAP) | (left == left[0])
        merged.append(np.average(points[left[same]], axis=0, weights=scores[left[same]]))
        left = left[~same]
    return merged


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box ``[2, 2]`` (two corners) with others ``[N, 2, 2]``, ``[N]``."""
    shared = (np.minimum(box[1], others[:, 1]) - np.maximum(box[0], others[:, 0])).clip(0).prod(1)
    return shared / ((box[1] - box[0]).prod() + (others[:, 1] - others[:, 0]).prod(1) - shared)
