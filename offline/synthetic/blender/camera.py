"""The studio's camera: where it stands, and where its image has a point."""

from __future__ import annotations

import numpy as np

DISTANCE_DM, HEIGHT_DM = 16.0, 6.34  # from the head's axis; above the floor
LENS_MM, SENSOR_MM = 97.0, 20.0


def project(points: np.ndarray, size: int) -> np.ndarray:
    """Places of points in an image of ``size`` px.

    Args:
        points: ``[n, 3]`` dm in the studio: x to the image's right, y up from the floor, z to the viewer.
        size: height and width of the image, px.

    Returns:
        ``[n, 2]`` px, a pixel's center at its index + 0.5.
    """
    scale = size * LENS_MM / SENSOR_MM / (DISTANCE_DM - points[:, 2])
    return np.stack([size / 2 + points[:, 0] * scale, size / 2 - (points[:, 1] - HEIGHT_DM) * scale], axis=1)
