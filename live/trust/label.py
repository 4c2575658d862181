"""The visible label: a few words on a dark plate in a corner of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from face.errors import UserError

DEFAULT_TEXT = "AI-generated"
_FACE = cv2.FontFace("sans")
_WEIGHT = 600
_HIDES, _WHITE = 0.45, 255.0  # how much the plate hides; the letters' gray level
_LEGIBLE_PX, _SMALLEST_PX = 9, 5  # letters' height: no less if there is room; no less at all
_MARGIN = 0.02  # from the border, in image heights


class Place(StrEnum):
    """Where the label stands."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


@dataclass(frozen=True)
class LabelSettings:
    """How the label looks.

    Attributes:
        text: its words.
        place: its corner.
        size: height of its letters as a part of the image's.
    """

    text: str = DEFAULT_TEXT
    place: Place = Place.TOP_LEFT
    size: float = 0.04

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UserError("The label needs a text: give one with --label-text.")


def plate(text: str, letters_px: int) -> tuple[np.ndarray, np.ndarray]:
    """A label's gray levels and coverage 0…1, each ``[h, w]`` float32, with letters of a height in px."""
    (_, top, width, height) = cv2.getTextSize((0, 0), text, (0, 0), _FACE, letters_px, _WEIGHT)
    letters = np.zeros((height + 2 * letters_px, width + 2 * letters_px, 3), np.uint8)
    cv2.putText(letters, text, (letters_px, letters_px - top), (255, 255, 255), _FACE, letters_px, _WEIGHT)
    x, y, width, height = cv2.boundingRect(letters[..., 0])  # the font's own box has more above than below
    pad = max(2, letters_px // 4)
    white = letters[y - pad : y + height + pad, x - pad : x + width + pad, 0].astype(np.float32) / 255
    return white * _WHITE, np.maximum(white, _HIDES)


class Label:
    """Draws the label.

    Args:
        settings: how it looks.
    """

    def __init__(self, settings: LabelSettings) -> None:
        self._settings = settings
        self._shape: tuple[int, int] | None = None

    def apply(self, image: np.ndarray) -> None:
        """Draw into an image ``[H, W, 3]`` uint8 RGB.

        Raises:
            UserError: the text is too long for it.
        """
        if self._shape != image.shape[:2]:
            self._shape = (image.shape[0], image.shape[1])
            self._prepare(*self._shape)
        region = image[self._rows, self._columns]
        region[:] = (self._light + region * self._keep + 0.5).astype(np.uint8)

    def _prepare(self, height: int, width: int) -> None:
        margin = round(_MARGIN * height)
        for letters_px in range(max(_LEGIBLE_PX, round(self._settings.size * height)), _SMALLEST_PX - 1, -1):
            gray, coverage = plate(self._settings.text, letters_px)
            h, w = gray.shape
            if h + 2 * margin <= height and w + 2 * margin <= width:
                break
        else:
            raise UserError(
                f"The label '{self._settings.text}' does not fit in {width} x {height} px: give a shorter --label-text."
            )
        place = self._settings.place
        top = margin if place in (Place.TOP_LEFT, Place.TOP_RIGHT) else height - margin - h
        left = margin if place in (Place.TOP_LEFT, Place.BOTTOM_LEFT) else width - margin - w
        self._rows, self._columns = slice(top, top + h), slice(left, left + w)
        self._light, self._keep = (gray * coverage)[..., None], (1 - coverage)[..., None]
