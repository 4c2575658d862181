"""What rests when the face does, and keeps up when it moves: 1€ filters (Casiez, Roussel and Vogel 2012)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from face.camera import ScaledOrthographicCamera

_SPEED_HZ, _REST_HZ = 1.0, 0.05  # cut-off of the speed, and of a point at rest
# Hz more for each size of the thing that it moves in a second. MediaPipe's 80 lets points of a turning head lag by a
# pixel of 256; what more trembles at rest is common to all points, and CameraFilter takes it.
_BETA = 300.0
_CAMERA_SPEED_HZ, _CAMERA_REST_HZ = 3.0, 1.0
_CAMERA_BETA = 60.0  # Hz more for each unit of the camera's speed
# Of turn (radians), log scale and place (model units), a second: how much each counts in the camera's speed. Points of
# a face lie about half a unit from its middle.
_LEVERS = np.array([0.5, 0.5, 0.5, 0.3, 1.0, 1.0])


class OneEuroFilter:
    """Smooths points of one thing over time."""

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
            self._smooth, self._speed = _smoothed(
                points, self._raw, self._smooth, self._speed, time_s - self._last_s, _BETA
            )
            self._raw = points
        self._last_s = time_s
        return self._smooth


class CameraFilter:
    """Smooths the camera of a face over time.

    One speed, that of all six numbers together, decides how much: it is far less noisy than each number's own, so that
    the filter lets go as soon as the head moves at all. At an even speed, the speed makes up for what lag is left.

    Args:
        middle: ``[3]`` of the face, model frame, whose place is smoothed: the model's origin lies off it.
    """

    def __init__(self, middle: np.ndarray) -> None:
        self._middle = middle
        self.reset()

    def reset(self) -> None:
        """Forget where the camera was."""
        self._last_s: float | None = None

    def smooth(self, camera: ScaledOrthographicCamera, time_s: float) -> ScaledOrthographicCamera:
        """The camera, smoothed; time must grow from call to call, or the camera comes back as it is."""
        numbers = self._numbers(camera)
        if self._last_s is None:
            self._raw, self._smooth, self._speed = numbers, numbers, np.zeros(6)
        elif (elapsed := time_s - self._last_s) > 0:
            self._speed = _passed((numbers - self._raw) / elapsed, self._speed, _CAMERA_SPEED_HZ, elapsed)
            speed = float(np.linalg.norm(_LEVERS * self._speed))
            weight = _weight(_CAMERA_REST_HZ + _CAMERA_BETA * speed, elapsed)
            # A head in motion is expected where its speed takes it, one at rest where it was.
            expected = self._smooth + weight**4 * elapsed * self._speed
            self._smooth = weight * numbers + (1 - weight) * expected
            self._raw = numbers
        self._last_s = time_s
        return self._camera(self._smooth)

    def _numbers(self, camera: ScaledOrthographicCamera) -> np.ndarray:
        """Yaw, pitch, roll (radians), log scale, and the middle's place (model units), ``[6]``."""
        place = camera.project(self._middle)[:2] / camera.scale
        return np.concatenate([np.radians(camera.euler_deg), [np.log(camera.scale)], place])

    def _camera(self, numbers: np.ndarray) -> ScaledOrthographicCamera:
        scale = float(np.exp(numbers[3]))
        camera = ScaledOrthographicCamera.from_euler(np.degrees(numbers[:3]), scale, np.zeros(2))
        return replace(camera, translation=scale * numbers[4:] - camera.project(self._middle)[:2])


@njit(cache=True, nogil=True)
def _weight(cut_off_hz: float, elapsed_s: float) -> float:
    """What a new value counts in a low-pass filter, 0…1."""
    return 1 / (1 + 1 / (2 * np.pi * cut_off_hz * elapsed_s))


@njit(cache=True, nogil=True)
def _smoothed(
    points: np.ndarray, raw: np.ndarray, smooth: np.ndarray, speed: np.ndarray, elapsed_s: float, beta: float
) -> tuple[np.ndarray, np.ndarray]:
    """One step of the 1€ filter of points, from the last ones, raw and smooth, and their speed, all ``[N, 2]``."""
    size = (np.ptp(points[:, 0]) + np.ptp(points[:, 1])) / 2
    new_smooth, new_speed = np.empty_like(points), np.empty_like(points)
    weight = _weight(_SPEED_HZ, elapsed_s)
    for n in range(len(points)):
        for k in range(2):
            now = (points[n, k] - raw[n, k]) / size / elapsed_s
            new_speed[n, k] = weight * now + (1 - weight) * speed[n, k]
            own = _weight(_REST_HZ + beta * abs(new_speed[n, k]), elapsed_s)
            new_smooth[n, k] = own * points[n, k] + (1 - own) * smooth[n, k]
    return new_smooth, new_speed


def _passed(new: np.ndarray, old: np.ndarray, cut_off_hz: float, elapsed_s: float) -> np.ndarray:
    """One step of a low-pass filter."""
    weight = _weight(cut_off_hz, elapsed_s)
    return weight * new + (1 - weight) * old
