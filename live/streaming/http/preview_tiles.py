"""The page's small images: the source's landmarks, and the conditioning."""

from __future__ import annotations

import cv2
import numpy as np

from face.drawing import draw_conditioning, draw_landmarks
from live.frames import Conditioned

SIZE = 192


def encode_tiles(conditioned: Conditioned) -> bytes:
    """Both tiles side by side as one JPEG, ``192 × 384`` px."""
    drawn = cv2.resize(
        draw_conditioning(np.asarray(conditioned.conditioning)), (SIZE, SIZE), interpolation=cv2.INTER_AREA
    )
    pair = np.hstack([draw_landmarks(conditioned.landmarks, SIZE), drawn])
    return cv2.imencode(".jpg", cv2.cvtColor(pair, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
