"""Finds the label in an image by its words' shape."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from live.trust.label import DEFAULT_TEXT, plate

_LOWEST, _CONTRAST = 0.75, 0.3  # normalized correlation; contrast of the letters, of black to white
_SMALLEST_PX, _LARGEST_PX, _STEP = 5.0, 64.0, 1.04  # letters' heights that are tried
_LETTERS_PX = 32  # of the template
_COARSE_PX, _FINE_PX = 10.0, 12.0  # letters so high tell where it is, and whether; larger ones are reduced to it
_FINALISTS = 5  # heights that are looked at again


def read_label(frames: Sequence[np.ndarray], text: str = DEFAULT_TEXT) -> float | None:
    """How well the label is seen in frames ``[H, W, 3]`` uint8 RGB of one view: 0.75…1, ``None`` where it is not.

    Args:
        frames: a second of them, or just one.
        text: the label's words; others are not found.
    """
    luma = np.asarray(np.mean([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames], axis=0, dtype=np.float32))
    template, _ = plate(text, _LETTERS_PX)
    steps = int(np.log(_LARGEST_PX / _SMALLEST_PX) / np.log(_STEP))
    heights = sorted(
        (_SMALLEST_PX * _STEP**step for step in range(steps)), key=lambda px: _score(luma, template, px, _COARSE_PX)
    )[-_FINALISTS:]
    score = max(_score(luma, template, px * _STEP**part, _FINE_PX) for px in heights for part in (-0.5, 0, 0.5))
    return score if score >= _LOWEST else None


def _score(luma: np.ndarray, template: np.ndarray, letters_px: float, most_px: float) -> float:
    """The largest correlation with the words in letters of a height, where their contrast is a label's."""
    sought_px = min(letters_px, most_px)
    template = _reduced(template, sought_px / _LETTERS_PX)
    luma = _reduced(luma, sought_px / letters_px)
    if template.shape[0] > luma.shape[0] or template.shape[1] > luma.shape[1]:
        return 0.0
    correlation = cv2.matchTemplate(luma, template, cv2.TM_CCOEFF_NORMED)
    energy = float(((template - template.mean()) ** 2).sum())
    contrast = cv2.matchTemplate(luma, template, cv2.TM_CCOEFF) / energy
    return float(np.max(correlation, initial=0, where=np.isfinite(correlation) & (contrast > _CONTRAST)))


def _reduced(image: np.ndarray, factor: float) -> np.ndarray:
    return image if factor == 1 else cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
