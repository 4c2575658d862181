"""Teeth and tongue in the NMFC image, drawn where the fitted lips part.

The face lies before them, whatever the fit says, and they are seen between the lips alone: no tooth sticks through a
lip or shows behind the face's border.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from face.landmarks import INNER_LIPS
from face.morphable import MorphableModel
from face.mouth_parts import MouthParts, TeethPlacement
from face.nmfc import shade
from face.parameters import FaceParameters
from face.per_identity_cache import OncePerPerson
from face.raster import BACKGROUND, rasterize


@njit(cache=True, nogil=True)
def free_between(
    image: np.ndarray,  # [H, W, 3] uint8
    outline: np.ndarray,  # [n, 2] float32 px, closed, clockwise as seen
) -> np.ndarray:
    """Which pixels are black and inside an outline, ``[H, W]`` bool.

    Where lips overlap, their outline runs the other way around and has no inside.
    """
    height, width = image.shape[:2]
    free = np.zeros((height, width), np.bool_)
    count = len(outline)
    for i in range(height):
        y = np.float32(i + 0.5)
        for j in range(width):
            if image[i, j, 0]:  # a face has no color of zero
                continue
            x = np.float32(j + 0.5)
            winding = 0
            for k in range(count):
                ax, ay = outline[k, 0], outline[k, 1]
                bx, by = outline[(k + 1) % count, 0], outline[(k + 1) % count, 1]
                if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                    winding += 1 if by > ay else -1
            free[i, j] = winding > 0
    return free


class Opening:
    """What an NMFC image leaves black between the lips.

    Attributes:
        corner: ``[2]`` float32 px, left and top of its window.
        free: ``[h, w]`` bool, over the window.
        window: where that lies in the image: rows and columns.
    """

    def __init__(self, image: np.ndarray, outline: np.ndarray) -> None:  # [H, W, 3] uint8, [n, 2] float32 px
        size = image.shape[1::-1]
        left, top = np.clip(np.floor(outline.min(0)), 0, size).astype(int)
        right, bottom = np.clip(np.ceil(outline.max(0)), (left, top), size).astype(int)
        self.window = slice(top, bottom), slice(left, right)
        self.corner = np.array([left, top], np.float32)
        self.free = free_between(image[self.window], outline - self.corner)


class MouthRenderer:
    """Draws teeth and tongue into the NMFC image.

    Args:
        model: the morphable model.
        parts: its teeth and tongue.
        placement: of the person's.
    """

    def __init__(self, model: MorphableModel, parts: MouthParts, placement: TeethPlacement) -> None:
        self._parts = parts
        self._at_rest = OncePerPerson(lambda identity: parts.at_rest(identity, placement))
        self._moved_by = np.flatnonzero(np.any(parts.expression, axis=(1, 2)))  # jaw and tongue
        self._expression = parts.expression[self._moved_by].reshape(len(self._moved_by), -1)
        mean, identity, expression = (basis[..., list(INNER_LIPS), :] for basis in model.landmark_bases)
        self._lips_expression = expression.reshape(len(expression), -1)
        self._lips_at_rest = OncePerPerson(lambda person: mean + np.tensordot(person, identity, 1))

    def opening(self, parameters: FaceParameters, image: np.ndarray) -> Opening:
        """Where the lips part in an NMFC image ``[H, W, 3]`` uint8 of a face."""
        offset = (parameters.expression @ self._lips_expression).reshape(-1, 3)
        lips = parameters.camera.project(self._lips_at_rest(parameters.identity) + offset)
        return Opening(image, lips[:, :2].astype(np.float32))

    def seen(self, parameters: FaceParameters, opening: Opening) -> np.ndarray:
        """Triangle of ``MouthParts`` at each pixel of an opening's window, ``[h, w]`` int32, or ``BACKGROUND``."""
        offset = parameters.expression[self._moved_by].astype(np.float32) @ self._expression
        camera = replace(parameters.camera, translation=parameters.camera.translation - opening.corner)
        points = camera.project(self._at_rest(parameters.identity) + offset.reshape(-1, 3))
        index, _ = rasterize(points, self._parts.triangles, *opening.free.shape)
        index[~opening.free] = BACKGROUND
        return index

    def draw(self, parameters: FaceParameters, image: np.ndarray) -> None:
        """Draw what is seen of teeth and tongue into an NMFC image ``[H, W, 3]`` uint8 of the face."""
        opening = self.opening(parameters, image)
        if opening.free.any():
            shade(image[opening.window], self.seen(parameters, opening), self._parts.colors)
