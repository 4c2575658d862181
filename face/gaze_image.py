"""The gaze image of the conditioning, from gaze angles. ``face/gaze_estimation.py`` finds the angles."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from face.landmarks import LEFT_EYE, RIGHT_EYE
from face.morphable import MorphableModel
from face.parameters import FaceParameters, gaze_rotation
from face.per_identity_cache import OncePerPerson

IRIS_RADIUS = 0.46  # of the eyeball's
PUPIL_RADIUS = 0.19


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
        mean, identity, expression = (basis[..., [LEFT_EYE, RIGHT_EYE], :] for basis in model.landmark_bases)
        self._expression = expression.reshape(len(expression), -1)
        self._at_rest = OncePerPerson(lambda person: mean + np.tensordot(person, identity, 1))

    def draw(self, parameters: FaceParameters, image: np.ndarray) -> None:
        """Draw the gaze image into a black image ``[H, W, 3]`` uint8; see ``draw_eye`` for the channels."""
        camera = parameters.camera
        forward = gaze_rotation(parameters.gaze)[:, 2] * self._model.eye_radius
        radius_px = self._model.eye_radius * camera.scale
        at_rest = self._at_rest(parameters.identity)  # [2, n, 3]
        loops = camera.project(at_rest + (parameters.expression @ self._expression).reshape(at_rest.shape))
        for center, loop in zip(self._model.eye_centers(parameters.identity), loops, strict=True):
            outline = np.ascontiguousarray(loop[:, :2])
            iris = camera.project(center + forward)[:2]
            draw_eye(image, outline, iris, IRIS_RADIUS * radius_px, PUPIL_RADIUS * radius_px)
