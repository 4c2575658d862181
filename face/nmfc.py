"""The NMFC image (Eq. 3): the generator's conditioning on the face's shape, pose and expression."""

from __future__ import annotations

import numpy as np
from numba import njit

from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.per_identity_cache import OncePerPerson
from face.raster import rasterize


def _centers(model: MorphableModel) -> np.ndarray:
    matrix, triangles = model.nmfc_mesh
    return (matrix @ model.mean)[triangles].mean(1)


def nmfc_box(model: MorphableModel) -> tuple[np.ndarray, np.ndarray]:
    """The mean face's bounding box, whose corners have the NMFC's least and greatest colors: two ``[3]``, dm."""
    centers = _centers(model)
    return centers.min(0), centers.max(0)


def nmfc_colors(model: MorphableModel) -> np.ndarray:
    """Color of each NMFC triangle, ``[T, 3]`` uint8, 1…255: where its center lies in the mean face's bounding box.

    Zero is left to the background, so that a face pixel is never mistaken for it.
    """
    centers = _centers(model)
    low, high = centers.min(0), centers.max(0)
    return (1 + np.round((centers - low) / (high - low) * 254)).astype(np.uint8)


@njit(cache=True, nogil=True)
def shade(
    image: np.ndarray,  # [H, W, 3] uint8, drawn into
    index: np.ndarray,  # [H, W] int32
    colors: np.ndarray,  # [T, 3] uint8
) -> None:
    """Give each pixel the color of the triangle seen there; where there is none, leave it."""
    height, width = index.shape
    for i in range(height):
        for j in range(width):
            if index[i, j] >= 0:
                for k in range(3):
                    image[i, j, k] = colors[index[i, j], k]


class NmfcRenderer:
    """Rasterizes the face of some parameters; identity is folded into the mesh once per person."""

    def __init__(self, model: MorphableModel) -> None:
        rows, self.triangles = model.nmfc_mesh
        self._mean = (rows @ model.mean).astype(np.float32)
        self._identity = np.stack([rows @ d for d in model.identity])
        expression = np.stack([rows @ d for d in model.expression])
        self._expression = np.ascontiguousarray(expression.reshape(len(expression), -1).astype(np.float32))
        self._colors = nmfc_colors(model)
        self._neutral = OncePerPerson(self._at_rest)

    def vertices(self, parameters: FaceParameters) -> np.ndarray:
        """Vertices of the drawn face in the image, ``[V, 3]`` float32 px."""
        offset = parameters.expression.astype(np.float32) @ self._expression
        return parameters.camera.project(self._neutral(parameters.identity) + offset.reshape(-1, 3))

    def _at_rest(self, identity: np.ndarray) -> np.ndarray:
        return self._mean + np.tensordot(identity.astype(np.float32), self._identity, 1)

    def draw(self, parameters: FaceParameters, image: np.ndarray) -> None:
        """Draw the NMFC image into a black image ``[H, W, 3]`` uint8."""
        index, _ = rasterize(self.vertices(parameters), self.triangles, *image.shape[:2])
        shade(image, index, self._colors)
