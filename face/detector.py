"""Where faces are in an image: BlazeFace (Bazarevsky et al. 2019), as MediaPipe runs it."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
from scipy.special import expit

from face.region import Region, around
from face.tflite import Network

_SIDE = 128  # px, of the image that the network sees; a face must be some 18 px high in it
_GRIDS = ((16, 2), (8, 6))  # cells along a side, and boxes in each
_MIN_SCORE, _MIN_OVERLAP = 0.5, 0.3
# The image's shorter side, px, when it is looked through tile by tile. Faces are found down to 18 of 230 px: 8 %.
_PYRAMID = (128, 230)
_SHARED = 26  # px that neighboring tiles have in common at least: the largest face that only tiles show


class FaceDetector:
    """Finds faces.

    Raises:
        UserError: the network's file is missing.
    """

    def __init__(self) -> None:
        self._network = Network("face_detector")
        centers = [np.repeat(np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2), -1).reshape(-1, 2), boxes, axis=0)
                   for n, boxes in _GRIDS]  # fmt: skip
        self._anchors = np.concatenate(centers)  # [896, 2]

    def find(self, image: np.ndarray, most: int) -> list[Region]:  # [H, W, 3] uint8 RGB
        """Where to look for the landmarks of faces that fill a good part of the frame, surest first, at most so many.

        Faces from 14 % of the frame's longer side on are found.
        """
        height, width = image.shape[:2]
        whole = Region(np.array([width, height]) / 2, max(width, height))
        points, scores = self._boxes(whole.crop(image, _SIDE, cv2.BORDER_CONSTANT))
        return _regions(whole.to_image(points), scores, most)

    def find_small(self, image: np.ndarray, most: int) -> list[Region]:  # [H, W, 3] uint8 RGB
        """The same for faces from 8 % of the frame's shorter side on, in six to ten times the time."""
        boxes = [self._boxes_in_tiles(image, side) for side in _PYRAMID]
        return _regions(np.concatenate([points for points, _ in boxes]), np.concatenate([s for _, s in boxes]), most)

    def _boxes_in_tiles(self, image: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """``_boxes`` of all tiles of an image scaled to a shorter side, in the image's px."""
        scale = side / min(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        points, scores = [np.zeros((0, 8, 2))], [np.zeros(0)]
        for left, top in itertools.product(*(_tile_starts(length) for length in small.shape[1::-1])):
            in_tile, sure = self._boxes(small[top : top + _SIDE, left : left + _SIDE])
            points.append((in_tile * _SIDE + [left, top]) / scale)
            scores.append(sure)
        return np.concatenate(points), np.concatenate(scores)

    def _boxes(self, tile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # [128, 128, 3] uint8 RGB
        """Boxes ``[N, 8, 2]`` 0…1 (two corners, then six points of which the first are the eyes) and scores ``[N]``."""
        raw, logits = self._network(tile[None].astype(np.float32) / 127.5 - 1)
        scores = expit(logits[0, :, 0])
        sure = np.flatnonzero(scores >= _MIN_SCORE)
        values = raw[0, sure].reshape(-1, 8, 2) / _SIDE  # a box's center, its size, and the points
        values[:, [0, *range(2, 8)]] += self._anchors[sure, None]
        center, size, points = values[:, :1], values[:, 1:2], values[:, 2:]
        return np.concatenate([center - size / 2, center + size / 2, points], 1), scores[sure]


def _tile_starts(length: int) -> list[int]:
    """Where tiles begin that cover a length in px, evenly spread."""
    count = 1 + math.ceil((length - _SIDE) / (_SIDE - _SHARED))
    return [round(start) for start in np.linspace(0, length - _SIDE, count)]


def _regions(points: np.ndarray, scores: np.ndarray, most: int) -> list[Region]:
    """Where to look for the landmarks of faces whose boxes ``[N, 8, 2]`` px were found."""
    return [around(face[0], face[1], face[2:4]) for face in _merged(points, scores)[:most]]


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
