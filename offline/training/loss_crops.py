"""Where the losses look in a frame: a square drawn at random for the costly ones, the mouth and the eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline.dataset.dataset import Clip
from offline.dataset.mouth_and_eye_windows import Window, part_window

WHOLE: Window = (slice(None), slice(None))


@dataclass(frozen=True)
class Crops:
    """Windows of a frame of each sequence of a batch.

    Attributes:
        drawn: what the costly losses see.
        mouths, eyes: about those.
    """

    drawn: list[Window]
    mouths: list[Window]
    eyes: list[Window]


def draw_crops(clips: list[Clip], chances: list[np.random.Generator], side: int | None) -> list[Crops]:
    """Crops of each frame of some clips of one length.

    Args:
        clips: B of them.
        chances: one for each clip.
        side: of the drawn square in px, whose center is drawn where pixels weigh more; ``None`` for the whole image.
    """
    size = clips[0].frames.shape[1]
    drawn = [_draw(clip, chance, side) for clip, chance in zip(clips, chances, strict=True)]
    return [
        Crops(
            drawn=[windows[t] for windows in drawn],
            mouths=[part_window(clip.mouths[t], size) for clip in clips],
            eyes=[part_window(clip.eyes[t], size) for clip in clips],
        )
        for t in range(len(clips[0].frames))
    ]


def _draw(clip: Clip, chance: np.random.Generator, side: int | None) -> list[Window]:
    """A window per frame of a clip."""
    size = clip.frames.shape[1]
    if side is None:
        return [WHOLE] * len(clip.frames)
    side = min(side, size)
    windows = []
    for weight in clip.weights:
        share = weight.ravel().astype(np.float64)
        center = int(chance.choice(share.size, p=share / share.sum()))
        top, left = (int(np.clip(c - side // 2, 0, size - side)) for c in divmod(center, size))
        windows.append((slice(top, top + side), slice(left, left + side)))
    return windows


def cut(images: Tensor, windows: list[Window]) -> Tensor:
    """Each image's window, [B, C, h, w] of [B, C, H, W]."""
    return torch.stack([image[:, rows, columns] for image, (rows, columns) in zip(images, windows, strict=True)])
