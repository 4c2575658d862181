"""How close a face is to a neutral look: relaxed and straight ahead, as calibration wants it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face.parameters import FaceParameters
from face.resting_face import activity

# A face's units in all: in six clips 4 to 5.5 for calm faces (no fit is at 0), 7 to 9 in talk, 10 to 12 in laughter.
_CALM, _ACTIVE = 5.0, 10.0
_STRAIGHT_DEG, _TURNED_DEG = 8.0, 28.0  # a camera above or beside the screen is looked past by some degrees


@dataclass(frozen=True)
class NeutralMatch:
    """How well a face's parts match, 0…1 each.

    Attributes:
        expression: 1 for a relaxed face.
        head: 1 for a head that faces the camera.
    """

    expression: float
    head: float

    @property
    def score(self) -> float:
        """The worse of the two: both are needed."""
        return min(self.expression, self.head)


def neutral_match(face: FaceParameters) -> NeutralMatch:
    """Compare a fitted face with a neutral look; the gaze does not count, and neither does roll."""
    yaw_deg, pitch_deg, _ = face.camera.euler_deg
    return NeutralMatch(
        _falling(float(activity(face.expression)), _CALM, _ACTIVE),
        _falling(float(np.hypot(yaw_deg, pitch_deg)), _STRAIGHT_DEG, _TURNED_DEG),
    )


def _falling(value: float, best: float, worst: float) -> float:
    return float(np.clip((worst - value) / (worst - best), 0.0, 1.0))
