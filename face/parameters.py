"""What the fit finds in a frame: Eq. 1's coefficients, the camera and the gaze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face.camera import ScaledOrthographicCamera
from face.landmarks import UNIT_NAMES

# Eq. 1's coefficients; a morphable model has a direction for each.
IDENTITY_SIZE = 80
MOUTH_CORRECTIVES, BROW_CORRECTIVES = 10, 10
# Expression: the units of ``UNIT_NAMES``, then corrective directions of the mouth and of the brows.
UNITS = slice(0, len(UNIT_NAMES))
MOUTH = slice(UNITS.stop, UNITS.stop + MOUTH_CORRECTIVES)
BROWS = slice(MOUTH.stop, MOUTH.stop + BROW_CORRECTIVES)
EXPRESSION_SIZE = BROWS.stop


@dataclass(frozen=True)
class FaceParameters:
    """One face in one frame.

    Attributes:
        identity: ``[IDENTITY_SIZE]`` float64, standard deviations.
        expression: ``[EXPRESSION_SIZE]`` float64: face units, 0…1 or a little beyond, then correctives, standard
            deviations.
        camera: pose, px per model unit and place in the image.
        gaze: ``[2]`` float64, degrees in the head's frame: to the image's right, and up. Both eyes share it.
    """

    identity: np.ndarray
    expression: np.ndarray
    camera: ScaledOrthographicCamera
    gaze: np.ndarray


def of_units(units: np.ndarray) -> np.ndarray:  # [..., 52]
    """Expression ``[..., EXPRESSION_SIZE]`` float64 of units alone, without correctives."""
    expression = np.zeros((*units.shape[:-1], EXPRESSION_SIZE))
    expression[..., UNITS] = units
    return expression


def gaze_rotation(gaze_deg: np.ndarray) -> np.ndarray:  # [2] right, up
    """Rotation ``[3, 3]`` of a resting eyeball (looking along +z) to a gaze."""
    right, up = np.radians(gaze_deg)
    cr, sr, cu, su = np.cos(right), np.sin(right), np.cos(up), np.sin(up)
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    about_x = np.array([[1, 0, 0], [0, cu, su], [0, -su, cu]])
    return about_y @ about_x
