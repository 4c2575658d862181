"""What the compact generator remembers, guessed from the frames before training: backdrop and atlas of the head.

Training refines both; starting from the guess saves the hours in which it would find out what stands still and what
moves with the head.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from offline.dataset import Dataset
from offline.networks import ATLAS_CHANNELS, ATLAS_SIZE, atlas_grid

_PICTURES = 150
_BACKDROP_TOLERANCE = 0.06  # of the range -1…1: a pixel nearer than this to the backdrop is taken for it


def first_guess(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Backdrop [1, 3, H, W] and atlas [1, C, S, S], colours in -1…1, for ``CompactGenerator``.

    The backdrop is the median frame. The atlas is the mean of the frames, each brought to head coordinates; its
    coverage is the share of frames that differ from the backdrop at a place on the head.
    """
    chosen = np.concatenate([np.arange(a, b) for a, b in dataset.train])
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(_PICTURES, len(chosen))).astype(int)]
    frames = dataset.frames[chosen].astype(np.float32) / 127.5 - 1
    backdrop = np.median(frames, axis=0)
    sums = np.zeros((2 * ATLAS_SIZE * ATLAS_SIZE, 5), np.float32)
    for number, frame in zip(chosen, frames, strict=True):
        conditioning = torch.from_numpy(np.array(dataset.conditionings[number])).permute(2, 0, 1)[None].float()
        grid = atlas_grid(conditioning / 127.5 - 1, None)[0].numpy()
        columns = np.floor((grid[..., 0] + 1) * ATLAS_SIZE).astype(int)
        rows = np.floor((grid[..., 1] + 1) / 2 * ATLAS_SIZE).astype(int)
        differs = np.abs(frame - backdrop).max(-1, keepdims=True) > _BACKDROP_TOLERANCE
        values = np.concatenate([frame, differs, np.ones_like(differs)], -1).astype(np.float32)
        np.add.at(sums, (rows * 2 * ATLAS_SIZE + columns).ravel(), values.reshape(-1, 5))
    halves = np.split(sums.reshape(ATLAS_SIZE, 2 * ATLAS_SIZE, 5), 2, axis=1)
    mean = np.concatenate([_filled(half) for half in halves], axis=1)
    share = np.clip(mean[..., 3], 0.03, 0.97)
    atlas = np.zeros((1, ATLAS_CHANNELS, ATLAS_SIZE, 2 * ATLAS_SIZE), np.float32)
    atlas[0, :3] = mean[..., :3].transpose(2, 0, 1)
    atlas[0, 3] = np.log(share / (1 - share))
    return torch.from_numpy(backdrop.transpose(2, 0, 1)[None].copy()), torch.from_numpy(atlas)


def _filled(sums: np.ndarray) -> np.ndarray:
    """Means [S, S, 4] from sums and counts [S, S, 5]; texels that no frame shows take their surroundings'."""
    near = cv2.GaussianBlur(sums, (0, 0), 0.8) + 1e-3 * cv2.GaussianBlur(sums, (0, 0), 12) + 1e-9 * sums.mean((0, 1))
    return near[..., :4] / near[..., 4:]
