"""The model's lips: how wide a mouth is, and how lips that touch on the source touch on the target as well."""

from __future__ import annotations

import numpy as np

from face.landmarks import EYE_CORNERS, INNER_LIPS, MOUTH_CORNERS, UNIT_NAMES
from face.morphable import MorphableModel
from face.parameters import EXPRESSION_SIZE, MOUTH
from face.per_identity_cache import OncePerPerson

_MIDDLE = len(INNER_LIPS) // 2
_UPPER, _LOWER = list(INNER_LIPS[1:_MIDDLE]), list(INNER_LIPS[:_MIDDLE:-1])  # one above the other
# Gap over the inter-ocular distance. The tracker sees up to 1 % between lips that touch, and the fit adds its error.
_TOUCHING, _APART = 0.015, 0.03
_PRESS_DM = 0.01  # lips that only just meet leave a dashed line of pixels
_RIDGE = 1e-3  # of the closing's own scale: keeps it from large coefficients for small gaps


class Lips:
    """Measures and closes the lips of a morphable model's faces.

    Args:
        model: the morphable model.
    """

    def __init__(self, model: MorphableModel) -> None:
        mean, identity, expression = model.landmark_bases
        self._mean, self._identity = mean, identity
        self._opening = (expression[:, _UPPER, 1] - expression[:, _LOWER, 1]).T  # [pairs, EXPRESSION_SIZE], dm
        # Which coefficients may close the lips, and how readily: the mouth's, not the jaw.
        give = np.zeros(EXPRESSION_SIZE)
        give[MOUTH] = 1.0
        give[UNIT_NAMES.index("mouthClose")] = 0.3
        across = self._opening * give**2
        gram = across @ self._opening.T
        self._closing = across.T @ np.linalg.inv(gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)))
        self._neutral = OncePerPerson(self._at_rest)

    def _at_rest(self, identity: np.ndarray) -> np.ndarray:
        return self._mean + np.tensordot(identity, self._identity, 1)

    def mouth_width(self, identity: np.ndarray) -> float:
        """Distance of the mouth's corners at rest, dm."""
        a, b = self._neutral(identity)[list(MOUTH_CORNERS)]
        return float(np.linalg.norm(a - b))

    def touching(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """How far the lips of a fitted face touch, from right to left, ``[9]`` 0…1."""
        neutral = self._neutral(identity)
        interocular = np.linalg.norm(np.subtract(*neutral[list(EYE_CORNERS)]))
        gap = (neutral[_UPPER, 1] - neutral[_LOWER, 1] + self._opening @ expression) / interocular
        part = np.clip((_APART - gap) / (_APART - _TOUCHING), 0, 1)
        return part * part * (3 - 2 * part)

    def close(self, expression: np.ndarray, touching: np.ndarray) -> np.ndarray:  # [9] 0…1
        """An expression ``[EXPRESSION_SIZE]`` whose lips, shut at rest, part nowhere that they should touch."""
        return expression - self._closing @ (touching * np.maximum(self._opening @ expression + _PRESS_DM, 0))
