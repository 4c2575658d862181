"""Points that rest when the face does, and keep up when it moves: the 1€ filter (Casiez, Roussel and Vogel 2012)."""

from __future__ import annotations

import numpy as np

_SPEED_HZ, _REST_HZ = 1.0, 0.05  # cut-off of the speed, and of a point at rest
_BETA = 80.0  # Hz more for each size of the thing that it moves in a second


class OneEuroFilter:
    """Smooths points of one thing over time, with MediaPipe's settings for a face."""

    def __init__(self) -> None:
        self._last_s: float | None = None

    def smooth(self, points: np.ndarray, time_s: float) -> np.ndarray:
        """Points ``[N, 2]`` px, smoothed.

        Args:
            points: ``[N, 2]`` px.
            time_s: when they were there; must grow from call to call.
        """
        if self._last_s is None:
            self._raw, self._smooth, self._speed = points, points, np.zeros_like(points)
        else:
            elapsed = time_s - self._last_s
            size = np.ptp(points, axis=0).mean()
            speed = (points - self._raw) / size / elapsed
            self._speed = _passed(speed, self._speed, _SPEED_HZ, elapsed)
            self._smooth = _passed(points, self._smooth, _REST_HZ + _BETA * np.abs(self._speed), elapsed)
            self._raw = points
        self._last_s = time_s
        return self._smooth


def _passed(new: np.ndarray, old: np.ndarray, cut_off_hz: float | np.ndarray, elapsed_s: float) -> np.ndarray:
    """One step of a low-pass filter."""
    weight = 1 / (1 + 1 / (2 * np.pi * cut_off_hz * elapsed_s))
    return weight * new + (1 - weight) * old
