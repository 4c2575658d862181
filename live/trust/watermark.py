"""The invisible watermark's embedder: the tile, repeated over the image, stronger where texture hides it."""

from __future__ import annotations

import cv2
import numpy as np

from live.trust.code import TILE, message_of, tile_of

_FLAT, _TEXTURED = 0.8, 1.9  # standard deviation of the mark, gray levels
_GAIN = 0.3  # of the mark by the local contrast …
_EVERY = 5  # … of every fifth frame: it changes little meanwhile


def _amplitudes() -> np.ndarray:
    """``[256]`` float32: the mark's strength by local contrast."""
    return np.clip(_FLAT + _GAIN * (np.arange(256) - 1), _FLAT, _TEXTURED).astype(np.float32)


class Watermark:
    """Marks images as synthetic, with a session id.

    The mark is added to red, green and blue alike, so that it is in the luma, which codecs keep best. It stands still:
    what a codec predicts from the frame before carries it along.

    Args:
        session_id: ten hexadecimal digits.
    """

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self._tile = tile_of(message_of(session_id))
        self._mark = np.empty((0, 0), np.float32)
        self._lighter = self._darker = np.empty((0, 0, 3), np.uint8)  # what the last frames' mark adds, and takes
        self._frames = 0
        self._amplitudes = _amplitudes()

    def apply(self, image: np.ndarray) -> np.ndarray:
        """A marked copy of a video's next frame ``[H, W, 3]`` uint8 RGB."""
        if self._mark.shape != image.shape[:2]:
            height, width = image.shape[:2]
            repeats = -(-height // TILE), -(-width // TILE)
            self._mark = np.ascontiguousarray(np.tile(self._tile, repeats)[:height, :width])
            self._frames = 0
        if self._frames % _EVERY == 0:
            luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            contrast = cv2.blur(cv2.absdiff(luma, cv2.blur(luma, (5, 5))), (9, 9))
            strong = cv2.multiply(self._mark, cv2.LUT(contrast, self._amplitudes))
            levels = cv2.cvtColor(np.rint(strong, strong), cv2.COLOR_GRAY2RGB)
            self._lighter, self._darker = (np.maximum(way, 0).astype(np.uint8) for way in (levels, -levels))
        self._frames += 1
        return np.asarray(cv2.subtract(cv2.add(image, self._lighter), self._darker))
