"""What the fit finds in a frame: Eq. 1's coefficients, the camera and the gaze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face.camera import ScaledOrthographicCamera


@dataclass(frozen=True)
class FaceParameters:
    """One face in one frame.

    Attributes:
        identity: ``[80]`` float64, standard deviations.
        expression: ``[52]`` float64, face units 0…1.
        camera: pose, px per model unit and place in the image.
        gaze: ``[2]`` float64, degrees in the head's frame: to the picture's right, and up. Both eyes share it.
    """

    identity: np.ndarray
    expression: np.ndarray
    camera: ScaledOrthographicCamera
    gaze: np.ndarray


def gaze_rotation(gaze_deg: np.ndarray) -> np.ndarray:  # [2] right, up
    """Rotation ``[3, 3]`` of a resting eyeball (looking along +z) to a gaze."""
    right, up = np.radians(gaze_deg)
    cr, sr, cu, su = np.cos(right), np.sin(right), np.cos(up), np.sin(up)
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    about_x = np.array([[1, 0, 0], [0, cu, su], [0, -su, cu]])
    return about_y @ about_x
