"""A person's neutral expression: that of the calmest faces seen, so that it may be found while the person talks."""

from __future__ import annotations

import numpy as np

from face.parameters import EXPRESSION_SIZE, UNITS

_CALMEST = 15  # faces whose median is neutral: more than a wrong fit, fewer than the pauses of some seconds of talk


def activity(expressions: np.ndarray) -> np.ndarray:  # [..., EXPRESSION_SIZE]
    """How much the units of faces act in all, ``[...]``; correctives have no rest of their own to be measured from."""
    return np.abs(expressions[..., UNITS]).sum(-1)


class RestingFace:
    """Keeps the calmest of the faces seen."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._calmest = np.empty((0, EXPRESSION_SIZE))

    def add(self, expression: np.ndarray) -> None:  # [EXPRESSION_SIZE]
        """Another face was seen."""
        faces = np.vstack([self._calmest, expression])
        self._calmest = faces[np.argsort(activity(faces), kind="stable")[:_CALMEST]]

    @property
    def expression(self) -> np.ndarray:
        """The neutral ``[EXPRESSION_SIZE]``; one face at least must have been added."""
        neutral: np.ndarray = np.median(self._calmest, axis=0)
        return neutral
