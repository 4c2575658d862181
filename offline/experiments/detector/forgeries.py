"""Forgeries of single frames that need no network: warps and splices, as FaceForensics' graphics methods leave them."""

from __future__ import annotations

import cv2
import numpy as np

_BENDS = 4  # points of the warp field across the image
_BEND_PX = 0.03  # standard deviation of the warp over the image's size
_FEATHER = 0.02  # blur of a mask's border over the image's size
_GAIN = 0.06  # standard deviation of a spliced face's brightness


def warped(frame: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frame ``[H, W, 3]`` uint8 with the face ``[H, W]`` bool bent by a smooth random warp field."""
    size = len(frame)
    coarse = rng.normal(0, _BEND_PX * size, (_BENDS, _BENDS, 2)).astype(np.float32)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    bent = cv2.remap(
        frame, columns + field[..., 0], rows + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return _blended(frame, bent, mask)


def spliced(
    frame: np.ndarray,  # [H, W, 3] uint8
    mask: np.ndarray,  # [H, W] bool, its face
    other: np.ndarray,  # [H, W, 3] uint8
    other_mask: np.ndarray,  # [H, W] bool
    rng: np.random.Generator,
) -> np.ndarray:
    """The frame with another's face, scaled and moved to its place and brought to its mean color."""
    boxes = [np.array(cv2.boundingRect(m.astype(np.uint8)), np.float32) for m in (other_mask, mask)]
    (x, y, w, h), (a, b, c, d) = boxes
    matrix = np.array([[c / max(w, 1), 0, a - x * c / max(w, 1)], [0, d / max(h, 1), b - y * d / max(h, 1)]])
    moved = cv2.warpAffine(other, matrix, mask.shape[::-1], borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)
    moved += (frame[mask].mean(0) - moved[mask].mean(0)) * rng.uniform(0.5, 1)
    moved *= 1 + rng.normal(0, _GAIN)
    return _blended(frame, np.clip(moved, 0, 255), mask)


def _blended(frame: np.ndarray, face: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The face inside a feathered mask, ``[H, W, 3]`` uint8."""
    feather = max(0.5, _FEATHER * len(frame))
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), feather)[..., None]
    return (frame + alpha * (face.astype(np.float32) - frame) + 0.5).clip(0, 255).astype(np.uint8)
