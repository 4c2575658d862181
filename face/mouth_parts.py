"""Teeth and tongue of the morphable model: mesh, colors in the NMFC, and where a person's lie.

The upper teeth stay with the skull, the lower teeth and the tongue go with the jaw: the model's expression does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from face.morphable import MorphableModel, Part
from face.nmfc import nmfc_box
from face.raster import triangulate
from face.subdivision import catmull_clark

# Red and green of each part, least and greatest of both: corners that the face leaves free, so that a lookup by red and
# green takes teeth for nothing else; below the green of the face's rigid part.
COLORS = {
    Part.UPPER_TEETH: ((2, 2), (50, 26)),
    Part.LOWER_TEETH: ((205, 2), (253, 26)),
    Part.TONGUE: ((2, 32), (18, 52)),
}
_SUBDIVISIONS = {Part.UPPER_TEETH: 3, Part.LOWER_TEETH: 3, Part.TONGUE: 1}  # to triangles of about a millimeter
_BACK_DM = -0.1  # what lies farther back in the mean head is hardly seen,
_TURNED_AWAY = -0.3  # nor is what faces back, by its normal's part towards the viewer


@dataclass(frozen=True)
class TeethPlacement:
    """Where a person's teeth and tongue lie, against the morphable model's own.

    Attributes:
        up, forward: shift in model units.
        scale: size, about their middle.
        lower: how much farther up lower teeth and tongue lie, in model units.
    """

    up: float = 0.0
    forward: float = 0.0
    scale: float = 1.0
    lower: float = 0.0

    @staticmethod
    def of(values: Sequence[float] | np.ndarray) -> TeethPlacement | None:
        """The placement that a file holds as ``[up, forward, scale, lower]``; ``None`` if it holds none."""
        return TeethPlacement(*map(float, values)) if len(values) else None

    def values(self) -> tuple[float, float, float, float]:
        """What ``of`` reads."""
        return self.up, self.forward, self.scale, self.lower


class MouthParts:
    """The mesh of teeth and tongue, as a linear function of expression.

    Args:
        model: the morphable model.

    Attributes:
        triangles: ``[T, 3]`` int32.
        parts: ``[T]`` uint8, a ``Part`` each.
        colors: ``[T, 3]`` uint8: the place on the mean head (Eq. 3); red and green span the part's ``COLORS``.
        expression: ``[EXPRESSION_SIZE, V, 3]`` float32 model units.
    """

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        self._rows, self.triangles, self.parts = _mesh(model)
        self._of_jaw = np.unique(self.triangles[self.parts != Part.UPPER_TEETH])
        self.colors = _colors(model, (self._rows @ model.mean)[self.triangles].mean(1), self.parts)
        self.expression = np.stack([self._rows @ d for d in model.expression]).astype(np.float32)

    def at_rest(self, identity: np.ndarray, placement: TeethPlacement) -> np.ndarray:
        """Vertices of a person's teeth and tongue at rest, ``[V, 3]`` float32 model units."""
        shape = self._model.mean + np.tensordot(identity.astype(np.float32), self._model.identity, 1)
        vertices = self._rows @ shape
        middle = vertices.mean(0)
        shift = np.tile([0.0, placement.up, placement.forward], (len(vertices), 1))
        shift[self._of_jaw, 1] += placement.lower
        return (middle + shift + placement.scale * (vertices - middle)).astype(np.float32)


def _mesh(model: MorphableModel) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """What may be seen of teeth and tongue: sparse ``[V', V]`` from the cage, triangles ``[T, 3]``, parts ``[T]``."""
    matrices: list[sp.csr_matrix] = []
    triangles: list[np.ndarray] = []
    for part, times in _SUBDIVISIONS.items():
        matrix = sp.identity(len(model.mean), format="csr", dtype=np.float32)
        quads = model.quads[model.quad_parts == part]
        for _ in range(times):
            step, quads = catmull_clark(quads, matrix.shape[0])
            matrix = step @ matrix
        vertices, corners = matrix @ model.mean, triangulate(quads)
        a, b, c = (vertices[corners[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        towards = normal[:, 2] / np.linalg.norm(normal, axis=1)
        used, compact = np.unique(
            corners[((a + b + c)[:, 2] / 3 > _BACK_DM) & (towards > _TURNED_AWAY)], return_inverse=True
        )
        triangles.append(compact.reshape(-1, 3) + sum(m.shape[0] for m in matrices))
        matrices.append(matrix[used])
    parts = np.repeat(np.array(list(_SUBDIVISIONS), np.uint8), [len(t) for t in triangles])
    return sp.vstack(matrices).tocsr(), np.concatenate(triangles).astype(np.int32), parts


def _colors(model: MorphableModel, centers: np.ndarray, parts: np.ndarray) -> np.ndarray:  # [T, 3], [T]
    """Color of each triangle, ``[T, 3]`` uint8, by its center on the mean head."""
    low, high = nmfc_box(model)
    colors = 1 + 254 * (centers - low) / (high - low)
    for part, (least, greatest) in COLORS.items():
        place = centers[parts == part, :2]
        share = (place - place.min(0)) / np.ptp(place, axis=0)
        colors[parts == part, :2] = least + share * np.subtract(greatest, least)
    return np.clip(np.round(colors), 1, 255).astype(np.uint8)
