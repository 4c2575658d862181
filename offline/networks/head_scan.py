"""The head in many frames: what each texel shows in them, and how deep it lies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from face.compact_constants import HEAD_EXTENT
from offline.networks.head_warp import head_sampling_grid

_DEPTHS = np.linspace(1.0, -6.0, 15)  # planes tried for the depth map
_SWEEP_TEXELS = 128


@dataclass(frozen=True)
class Shots:
    """Some frames ``[F, H, W, 3]`` float32 -1…1, with cameras ``[F, 8]`` float32 as in
    ``offline/networks/head_warp.py``.
    """

    frames: np.ndarray
    cameras: torch.Tensor

    def places(self, depth_map: np.ndarray) -> list[np.ndarray]:
        """Where each frame's pixels lie on a depth map ``[h, w]``, ``[H, W, 2]`` in units of the head's extent."""
        surface = torch.from_numpy(flat_sheet(depth_map))[None]
        size = self.frames.shape[1]
        grids = (head_sampling_grid(camera[None], surface, None, size)[0] for camera in self.cameras)
        return [grid.permute(1, 2, 0).numpy() / HEAD_EXTENT for grid in grids]

    def moments(self, depth_map: np.ndarray, texels: int) -> np.ndarray:
        """Over a depth map's texels, sums of the colors seen, of their squares, and counts: ``[texels, texels, 7]``."""
        sums = np.zeros((texels, texels, 7))
        for frame, places in zip(self.frames, self.places(depth_map), strict=True):
            values = frame.reshape(-1, 3)
            sums += gather(places.reshape(-1, 2), np.concatenate([values, values**2], axis=1), texels)
        return sums


def flat_sheet(depth_map: np.ndarray) -> np.ndarray:
    """A depth map ``[h, w]`` without shifts, ``[3, h, w]`` float32, as ``head_sampling_grid`` takes it."""
    return np.concatenate([depth_map[None], np.zeros((2, *depth_map.shape))]).astype(np.float32)


def gather(places: np.ndarray, values: np.ndarray, texels: int) -> np.ndarray:
    """Sums ``[texels, texels, C + 1]`` of values ``[N, C]`` at places ``[N, 2]`` (-1…1), and how many there were."""
    cells = np.floor((places + 1) / 2 * texels).astype(int)
    inside = ((cells >= 0) & (cells < texels)).all(-1)
    index = cells[inside, 1] * texels + cells[inside, 0]
    columns = [np.bincount(index, weights=c, minlength=texels * texels) for c in values[inside].T]
    counts = np.bincount(index, minlength=texels * texels)
    return np.stack([*columns, counts], axis=-1).reshape(texels, texels, -1)


def mean_of(sums: np.ndarray) -> np.ndarray:
    """Means ``[S, S, C]`` of ``gather``'s sums; texels that no frame shows take their surroundings'."""
    sums = sums.astype(np.float32)
    near = cv2.GaussianBlur(sums, (0, 0), 0.6) + 1e-3 * cv2.GaussianBlur(sums, (0, 0), 10) + 1e-9 * sums.mean((0, 1))
    return near[..., :-1] / near[..., -1:]


def sweep_depth_map(shots: Shots) -> np.ndarray:
    """Depth of the head over its first two coordinates ``[S, S]``: where frames, brought there, differ least."""
    costs = []
    for depth in _DEPTHS:
        sums = shots.moments(np.full((2, 2), depth), _SWEEP_TEXELS)
        count = np.maximum(sums[..., 6:], 1)
        variance = (sums[..., 3:6] / count - (sums[..., :3] / count) ** 2).sum(-1)
        costs.append(cv2.GaussianBlur(variance, (0, 0), 3))
    best = _DEPTHS[np.argmin(costs, axis=0)].astype(np.float32)
    return cv2.GaussianBlur(cv2.medianBlur(best, 5), (0, 0), 4)
