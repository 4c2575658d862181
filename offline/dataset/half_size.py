"""A dataset's images at half their size, for a generator of two sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from offline.dataset.dataset import Dataset
from offline.flow.optical_flow import FlowKind

# Of the parameters, those in px.
_IN_PIXELS = ("scale", "translation", "aligned_scale", "aligned_translation")


class _Images:
    """Images that are made when they are asked for, indexed as an array is.

    Args:
        shape: of the array, ``(N, H, W, C)``.
        image: makes the image of a number, ``[H, W, C]`` uint8.
    """

    def __init__(self, shape: tuple[int, ...], image: Callable[[int], np.ndarray]) -> None:
        self.shape, self._image = shape, image

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        numbers = np.arange(len(self))[index]
        return self._image(int(numbers)) if numbers.ndim == 0 else np.stack([self._image(int(n)) for n in numbers])


class HalfSize(Dataset):
    """The same takes at half the size: frames averaged down, conditionings drawn anew, as they are when live.

    Args:
        full: the dataset, of images of an even size.
    """

    def __init__(self, full: Dataset) -> None:
        self.folder, self.model, self.manifest, self.fingerprint = (
            full.folder, full.model, full.manifest, full.fingerprint,
        )  # fmt: skip
        self.camera_map, self.teeth, self.train, self.test = full.camera_map, full.teeth, full.train, full.test
        self.mouths, self.eyes = full.mouths / 2, full.eyes / 2
        self.parameters = full.parameters | {name: full.parameters[name] / 2 for name in _IN_PIXELS}
        count, size = len(full.frames), full.frames.shape[1] // 2
        self.frames = _Images((count, size, size, 3), lambda n: _averaged(full.frames[n]))
        self.conditionings = _Images((count, size, size, 6), lambda n: self._conditioning.render(self.face(n)))

    def _stored_flows(self, kind: FlowKind, stride: int) -> None:  # type: ignore[override]
        """None: the stored ones are of the full size."""


def _averaged(image: np.ndarray) -> np.ndarray:
    """An image ``[H, W, C]`` uint8 at half its size."""
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
