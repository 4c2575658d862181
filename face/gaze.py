"""Gaze: from irises to angles, and from angles to the gaze image of the conditioning."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from face.camera import ScaledOrthographicCamera
from face.landmarks import EYE_CORNERS, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, UNIT_NAMES, Landmarks
from face.morphable import MorphableModel
from face.parameters import FaceParameters, gaze_rotation

# Degrees sideways and upwards for each of four hints, fitted on painted and path-traced people whose gaze is known.
# Upwards the scores say nothing that the irises do not; there the lids help, which follow a gaze and overshoot.
_BEFORE_EYEBALL = np.array([0.5, 1.1])  # per degree of the iris before its eyeball
_BETWEEN_CORNERS = np.array([40.0, 160.0])  # per width of the eye that the iris is off the middle of its corners
_BETWEEN_LIDS = -410.0  # upwards only, per distance of the eyes that the iris is above the middle of its lids
_REST_DEG = np.array([0.0, -4.4])  # what the hints are off for eyes that look ahead
_SCORE_DEG = 10.0  # sideways only, at full strength of the tracker's eyeLook scores
_LIMIT_DEG = np.array([35.0, 28.0])
_CORNERS = (((263, 362), LEFT_IRIS), ((33, 133), RIGHT_IRIS))  # outer, inner
_LIDS = (((386, 374), LEFT_IRIS), ((159, 145), RIGHT_IRIS))  # upper, lower
_CLOSED = 0.6  # blink above which the irises cannot be seen
_IRIS_RADIUS = 0.46  # of the eyeball's
_PUPIL_RADIUS = 0.19


def _index(name: str) -> int:
    return UNIT_NAMES.index(name)


_OUT_LEFT, _IN_LEFT, _OUT_RIGHT, _IN_RIGHT = (
    _index(n) for n in ("eyeLookOutLeft", "eyeLookInLeft", "eyeLookOutRight", "eyeLookInRight")
)
_BLINK = [_index("eyeBlinkLeft"), _index("eyeBlinkRight")]


class GazeEstimator:
    """Gaze angles of a fitted face; holds the last gaze while the eyes are closed."""

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget the last gaze."""
        self._last = np.zeros(2)

    def estimate(
        self, landmarks: Landmarks, identity: np.ndarray, expression: np.ndarray, camera: ScaledOrthographicCamera
    ) -> np.ndarray:
        """Degrees to the picture's right and up in the head's frame, ``[2]`` float64, both eyes as one.

        Four hints are added up: the iris's place before its eyeball, its places between the corners and between the
        lids of the eye, which do not depend on the pose, and the tracker's eyeLook scores.
        """
        if expression[_BLINK].mean() > _CLOSED:
            return self._last
        s = landmarks.scores
        sideways = 0.5 * (s[_OUT_LEFT] - s[_IN_LEFT] + s[_IN_RIGHT] - s[_OUT_RIGHT])
        gaze = (
            _BEFORE_EYEBALL * self._before_eyeball(landmarks, identity, camera)
            + _BETWEEN_CORNERS * _between_corners(landmarks.points)
            + np.array([_SCORE_DEG * sideways, _BETWEEN_LIDS * _between_lids(landmarks)])
            + _REST_DEG
        )
        self._last = np.clip(gaze, -_LIMIT_DEG, _LIMIT_DEG)
        return self._last

    def _before_eyeball(
        self, landmarks: Landmarks, identity: np.ndarray, camera: ScaledOrthographicCamera
    ) -> np.ndarray:
        """Direction in degrees ``[2]`` from the eyeballs' centres to the irises."""
        centres = camera.project(self._model.eye_centres(identity))[:, :2]
        offset = (landmarks.points[[LEFT_IRIS, RIGHT_IRIS]] - centres) / (camera.scale * self._model.eye_radius)
        x, y = offset.mean(0) * [1, -1]
        length = math.hypot(x, y)
        if length > 0.9:
            x, y = x * 0.9 / length, y * 0.9 / length
        direction = camera.rotation.T @ np.array([x, y, math.sqrt(1 - x * x - y * y)])
        return np.degrees([math.atan2(direction[0], direction[2]), math.asin(np.clip(direction[1], -1, 1))])


def _between_corners(points: np.ndarray) -> np.ndarray:  # [478, 2] px, y down
    """How far the irises are from the middle of the eyes' corners, right and up, in widths of the eye ``[2]``."""
    right = points[EYE_CORNERS[1]] - points[EYE_CORNERS[0]]
    right = right / np.linalg.norm(right)
    up = np.array([right[1], -right[0]])
    offsets = []
    for (outer, inner), iris in _CORNERS:
        a, b = points[outer], points[inner]
        offset = (points[iris] - (a + b) / 2) / np.linalg.norm(b - a)
        offsets.append([offset @ right, offset @ up])
    return np.mean(offsets, axis=0)


def _between_lids(landmarks: Landmarks) -> float:
    """How far the irises are above the middle of their lids in the picture, in distances of the outer eye corners."""
    points = landmarks.points
    below = [points[iris, 1] - points[list(lids), 1].mean() for lids, iris in _LIDS]
    return -float(np.mean(below)) / landmarks.interocular_px


@njit(cache=True, nogil=True)
def draw_eye(
    image: np.ndarray,  # [H, W, 3] uint8, drawn into
    outline: np.ndarray,  # [n, 2] float64 px, closed
    iris: np.ndarray,  # [2] float64 px
    iris_radius: float,
    pupil_radius: float,
) -> None:
    """Draw one eye: opening in red, iris in green, pupil in blue, each 0…255 by how much it covers the pixel.

    Coverage is the signed distance to the border, clamped to ±½ px, so that motion below a pixel shows.
    """
    height, width = image.shape[:2]
    top, bottom = max(0, int(outline[:, 1].min()) - 1), min(height - 1, int(outline[:, 1].max()) + 1)
    left, right = max(0, int(outline[:, 0].min()) - 1), min(width - 1, int(outline[:, 0].max()) + 1)
    count = outline.shape[0]
    for i in range(top, bottom + 1):
        y = i + 0.5
        for j in range(left, right + 1):
            x = j + 0.5
            inside = False
            nearest = 1e9
            for k in range(count):
                ax, ay = outline[k, 0], outline[k, 1]
                bx, by = outline[(k + 1) % count, 0], outline[(k + 1) % count, 1]
                if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                    inside = not inside
                dx, dy = bx - ax, by - ay
                square = dx * dx + dy * dy
                along = 0.0 if square == 0.0 else min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / square))
                ex, ey = x - ax - along * dx, y - ay - along * dy
                nearest = min(nearest, ex * ex + ey * ey)
            distance = math.sqrt(nearest)
            opening = min(1.0, max(0.0, (distance if inside else -distance) + 0.5))
            if opening == 0.0:
                continue
            from_iris = math.sqrt((x - iris[0]) ** 2 + (y - iris[1]) ** 2)
            covered = min(1.0, max(0.0, iris_radius - from_iris + 0.5)) * opening
            pupil = min(1.0, max(0.0, pupil_radius - from_iris + 0.5)) * opening
            image[i, j, 0] = max(image[i, j, 0], np.uint8(opening * 255 + 0.5))
            image[i, j, 1] = max(image[i, j, 1], np.uint8(covered * 255 + 0.5))
            image[i, j, 2] = max(image[i, j, 2], np.uint8(pupil * 255 + 0.5))


class GazeRenderer:
    """Draws the gaze image of Eq. 4's conditioning at the eyes of the (target's) face."""

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        mean, identity, expression = model.landmark_bases
        loops = [list(LEFT_EYE), list(RIGHT_EYE)]
        self._outlines = [(mean[k], identity[:, k], expression[:, k]) for k in loops]

    def render(self, parameters: FaceParameters, height: int, width: int) -> np.ndarray:
        """Gaze image ``[H, W, 3]`` uint8: see ``draw_eye`` for the channels; black away from the eyes."""
        image = np.zeros((height, width, 3), np.uint8)
        camera = parameters.camera
        forward = gaze_rotation(parameters.gaze)[:, 2] * self._model.eye_radius
        radius_px = self._model.eye_radius * camera.scale
        for centre, (mean, identity, expression) in zip(
            self._model.eye_centres(parameters.identity), self._outlines, strict=True
        ):
            loop = mean + np.tensordot(parameters.identity, identity, 1)
            loop = loop + np.tensordot(parameters.expression, expression, 1)
            outline = np.ascontiguousarray(camera.project(loop)[:, :2])
            iris = camera.project(centre + forward)[:2]
            draw_eye(image, outline, iris, _IRIS_RADIUS * radius_px, _PUPIL_RADIUS * radius_px)
        return image
