"""What must hold of a target's description before anything is made of it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import numpy as np

from face.parameters import EXPRESSION_SIZE, IDENTITY_SIZE

if TYPE_CHECKING:
    from face.target import TargetInfo

_TEXTS = ("name", "title", "profile", "model_hash", "provenance", "portrait")
_SHAPES = {  # -1: any number, at least one
    "identity": (IDENTITY_SIZE,), "neutral_expression": (EXPRESSION_SIZE,), "neutral_gaze": (2,), "scale_mean": (),
    "translation_mean": (2,), "translation_std": (2,), "euler_low_deg": (3,), "euler_high_deg": (3,),
    "head_motion": (-1, 6),
}  # fmt: skip
_OPTIONAL_SHAPES = {"camera_map": (-1, 6), "teeth": (4,)}
_SMALLEST_PX, _LARGEST_PX = 16, 4096


def problem(info: TargetInfo) -> str | None:
    """What is wrong with a description, by the name of the field; ``None`` if nothing is."""
    for name in _TEXTS:
        if not isinstance(getattr(info, name), str):
            return f"{name} is no text"
    if type(info.size) is not int or not _SMALLEST_PX <= info.size <= _LARGEST_PX:
        return f"size is no number of pixels from {_SMALLEST_PX} to {_LARGEST_PX}"
    others = info.other_sizes
    if not isinstance(others, list) or any(type(o) is not int or not _SMALLEST_PX <= o < info.size for o in others):
        return "other_sizes are not smaller numbers of pixels"
    if info.consent is not None and (wrong := info.consent.problem()) is not None:
        return f"consent: {wrong}"
    shapes = _SHAPES | {name: shape for name, shape in _OPTIONAL_SHAPES.items() if getattr(info, name)}
    for name, shape in shapes.items():
        if not _is_finite_array(getattr(info, name), shape):
            return f"{name} is not {' x '.join('N' if n < 0 else str(n) for n in shape) or 'one'} finite numbers"
    if min(info.scale_mean, *(pose[3] for pose in info.head_motion)) <= 0:
        return "a scale is not positive"
    if info.teeth and info.teeth[2] <= 0:
        return "teeth have no size"
    if min(info.translation_std) < 0 or np.any(np.subtract(info.euler_high_deg, info.euler_low_deg) < 0):
        return "a range ends before it begins"
    try:
        base64.b64decode(info.portrait, validate=True)
    except (binascii.Error, ValueError):
        return "portrait is no base64"
    return None


def _is_finite_array(values: object, shape: tuple[int, ...]) -> bool:
    try:
        array = np.array(values)
    except ValueError:  # rows of several lengths
        return False
    if array.dtype.kind not in "iuf" or array.ndim != len(shape) or not array.size:
        return False
    sizes = zip(array.shape, shape, strict=True)
    return all(size == expected or expected < 0 for size, expected in sizes) and bool(np.isfinite(array).all())
