"""Writes images to files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from face.errors import UserError
from face.files import write_whole


def write_image(path: Path, image: np.ndarray) -> None:  # [H, W, 3] uint8 RGB
    """Write an image, whole or not at all, in the format of the path's ending.

    Raises:
        UserError: the ending is no image's, or the folder is not there or cannot be written to.
    """
    try:
        encoded, content = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        encoded = False
    if not encoded:
        raise UserError(f"Cannot write {path}: give a name that ends in .png.")
    try:
        write_whole(path, content.tobytes())
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise UserError(f"Cannot write {path}: {error.strerror}; give a folder that can be written to.") from None
