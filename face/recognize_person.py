"""Who is followed, so that somebody else is not taken for them: by the shape of the face and the colors of its skin."""

from __future__ import annotations

import numpy as np

from face.fit_per_frame import OnlineFitter
from face.landmarks import Landmarks
from face.skin_colors import SkinColors

ABSENT_S = 1.0  # after so long without the person, whoever is there is taken for another one
_GONE_S = 0.5  # of a followed face that is unlike the person: they are looked for elsewhere
# Unlikeness is the misfit over the person's usual one, plus the difference of colors over _COLORS. In nine clips a
# person's own, smoothed, is at most 2.74, in grins; of 72 pairs of other people one has 2.4, four 2.6 to 2.8, all
# others 2.9 to 6.2.
_COLORS = 0.1
_LIMIT = 2.6  # of a face that is found
_FOLLOWED_LIMIT = 2.9  # and of one that is followed, smoothed
_SMOOTH_S = 0.2
_USUAL_FROM = 0.3  # of calibration: before, identity moves still


class KnownPerson:
    """Recognizes the person whom the live fit follows. Time is an argument: it has no clock.

    Args:
        fitter: knows the shape of the face.
        colors: those of the skin.
    """

    def __init__(self, fitter: OnlineFitter, colors: SkinColors) -> None:
        self._fitter, self._colors = fitter, colors
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._misfits: list[float] = []
        self._unlikeness = 0.0
        self._noted_s: float | None = None
        self._last_s: float | None = None

    def note(self, time_s: float) -> None:
        """Take note of the face that was just fitted."""
        if self._noted_s is not None:
            unlikeness = self._combined(self._fitter.misfit, self._colors.followed_unlikeness)
            weight = min(1.0, (time_s - self._noted_s) / _SMOOTH_S)
            self._unlikeness += weight * (unlikeness - self._unlikeness)
        self._noted_s = time_s
        if _USUAL_FROM < self._fitter.calibration < 1:
            self._misfits.append(self._fitter.misfit)
        if self._unlikeness < _FOLLOWED_LIMIT:
            self._last_s = time_s

    def is_like(self, unlikeness: float) -> bool:
        """Whether a face that was found may be the person."""
        return unlikeness < _LIMIT

    def unlikeness(self, landmarks: Landmarks) -> float:
        """How unlike the person a face is; 0 before the person is known."""
        if not self.known:
            return 0.0
        colors = 0.0 if landmarks.colors is None else self._colors.unlikeness(landmarks.colors)
        return self._combined(self._fitter.misfit_of(landmarks), colors)

    def absent_s(self, time_s: float) -> float:
        """Seconds since the person was there."""
        return 0.0 if self._last_s is None else time_s - self._last_s

    def is_gone(self, time_s: float) -> bool:
        """Whether the face that is followed has turned out to be somebody else's."""
        return self._noted_s is not None and self.absent_s(time_s) > _GONE_S

    @property
    def known(self) -> bool:
        """Whether enough was seen to tell the person from others."""
        return self._fitter.calibration >= 1 and bool(self._misfits)

    def _combined(self, misfit: float, colors: float) -> float:
        return misfit / float(np.mean(self._misfits)) + colors / _COLORS if self.known else 0.0
