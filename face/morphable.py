"""The 3-D morphable model of Eq. 1: mean, identity and expression directions over one head topology.

The schema of the file is documented in ``docs/morphable_model.md``; ``offline/morphable/builder.py`` builds it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from face.errors import UserError
from face.landmarks import SURFACE_COUNT
from face.parameters import EXPRESSION_SIZE, IDENTITY_SIZE
from face.raster import triangulate
from face.subdivision import catmull_clark, clip_triangles

DEFAULT_PATH = Path(__file__).parent / "data" / "morphable.npz"


class Part(IntEnum):
    """What a quad of the cage belongs to."""

    SKIN = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    UPPER_TEETH = 3
    LOWER_TEETH = 4
    TONGUE = 5
    LASHES = 6
    HAIR = 7


@dataclass(frozen=True)
class MorphableModel:
    """Eq. 1: ``x = mean + identity · s_id + expression · s_exp`` over the vertices of a quad cage.

    Model frame: origin midway between the eyeballs of the mean, x to the image's right when the face
    looks at the viewer, y up, z to the viewer; unit 1 dm.

    Attributes:
        mean: ``[V, 3]`` float32.
        identity: ``[IDENTITY_SIZE, V, 3]`` float32, one standard deviation each (coefficients ~ N(0, 1)).
        expression: ``[EXPRESSION_SIZE, V, 3]`` float32: face units at full strength (coefficients about 0…1), then
            correctives of the mouth and of the brows, one standard deviation each.
        expression_box: ``[EXPRESSION_SIZE, 2]`` float32, least and greatest coefficient.
        unit_names: the 52 ARKit names, in the order of ``expression``'s first.
        quads: ``[Q, 4]`` int32, counter-clockwise from outside.
        quad_parts: ``[Q]`` uint8, a ``Part`` each.
        nmfc_quads: ``[4Q]`` bool, quads of the subdivided mesh that the NMFC draws, wholly or up to its border.
        nmfc_inside: ``[V']`` float32 over the subdivided mesh's vertices, positive inside the NMFC's border.
        landmark_index: ``[478, K]`` int32 and landmark_weight ``[478, K]`` float32: landmark = weighted sum
            of cage vertices. The last ten (irises) sit on the resting eyeballs.
    """

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    expression_box: np.ndarray
    unit_names: tuple[str, ...]
    quads: np.ndarray
    quad_parts: np.ndarray
    nmfc_quads: np.ndarray
    nmfc_inside: np.ndarray
    landmark_index: np.ndarray
    landmark_weight: np.ndarray

    @staticmethod
    def load(path: Path = DEFAULT_PATH) -> MorphableModel:
        """Read a model file.

        Raises:
            UserError: the file is missing or not a morphable model.
        """
        try:
            with np.load(path) as data:
                arrays = {f.name: data[f.name] for f in fields(MorphableModel)}
        except FileNotFoundError:
            raise UserError(f"Morphable model {path} is missing: reinstall, or build it with "
                            "'python -m offline.morphable'.") from None  # fmt: skip
        except (KeyError, ValueError, OSError) as error:
            raise UserError(f"{path} is not a morphable model of this program ({error}).") from None
        sizes = {"identity": IDENTITY_SIZE, "expression": EXPRESSION_SIZE, "expression_box": EXPRESSION_SIZE}
        for name, size in sizes.items():
            if len(arrays[name]) != size:
                raise UserError(f"{path} is not a morphable model of this program: {name} has {len(arrays[name])} "
                                f"directions instead of {size}.")  # fmt: skip
        for name in ("mean", "identity", "expression", "expression_box", "nmfc_inside", "landmark_weight"):
            arrays[name] = arrays[name].astype(np.float32)
        names = tuple(str(n) for n in arrays.pop("unit_names"))
        return MorphableModel(unit_names=names, **arrays)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the arrays' bytes; target files name it, since conditioning depends on the model."""
        digest = hashlib.sha256()
        for f in fields(self):
            value = getattr(self, f.name)
            digest.update(" ".join(value).encode() if f.name == "unit_names" else np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    def shape(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """Cage vertices ``[V, 3]`` float32 for coefficients of identity and expression (Eq. 1)."""
        offset = np.tensordot(identity.astype(np.float32), self.identity, 1)
        return self.mean + offset + np.tensordot(expression.astype(np.float32), self.expression, 1)

    @cached_property
    def _subdivided(self) -> tuple[sp.csr_matrix, np.ndarray]:
        return catmull_clark(self.quads, len(self.mean))

    @property
    def subdivision(self) -> sp.csr_matrix:
        """Sparse ``[V', V]``: cage vertices to the vertices of the mesh that is drawn."""
        return self._subdivided[0]

    @cached_property
    def triangles(self) -> np.ndarray:
        """Triangles of the subdivided mesh, ``[8Q, 3]`` int32."""
        return triangulate(self._subdivided[1])

    @cached_property
    def triangle_parts(self) -> np.ndarray:
        """``Part`` of each triangle, ``[8Q]`` uint8."""
        return np.repeat(self.quad_parts, 8)

    @cached_property
    def nmfc_triangles(self) -> np.ndarray:
        """Triangles of the subdivided mesh that the NMFC draws, wholly or in part, ``[T, 3]`` int32."""
        return self.triangles[np.repeat(self.nmfc_quads, 2)]

    @cached_property
    def nmfc_mesh(self) -> tuple[sp.csr_matrix, np.ndarray]:
        """The NMFC's mesh, cut along its border: sparse ``[V", V]`` from the cage, and triangles ``[T, 3]`` int32."""
        matrix, triangles = clip_triangles(self.nmfc_triangles, self.nmfc_inside)
        used, compact = np.unique(triangles, return_inverse=True)
        return (matrix @ self.subdivision)[used], compact.reshape(-1, 3).astype(np.int32)

    @cached_property
    def landmark_matrix(self) -> sp.csr_matrix:
        """Sparse ``[478, V]``: cage vertices to landmarks."""
        count, k = self.landmark_index.shape
        rows = np.repeat(np.arange(count), k)
        values = (self.landmark_weight.ravel().astype(np.float64), (rows, self.landmark_index.ravel()))
        return sp.csr_matrix(values, shape=(count, len(self.mean)))

    def landmarks_of(self, vertices: np.ndarray) -> np.ndarray:  # [V, 3] cage
        """The 478 landmarks on a shape, ``[478, 3]`` float64, model frame."""
        return self.landmark_matrix @ vertices.astype(np.float64)

    @cached_property
    def landmark_bases(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean ``[468, 3]`` and the directions of identity and expression ``[K, 468, 3]`` at the surface landmarks."""
        matrix = self.landmark_matrix[:SURFACE_COUNT]
        bases = [np.stack([matrix @ b.astype(np.float64) for b in basis]) for basis in (self.identity, self.expression)]
        return matrix @ self.mean.astype(np.float64), bases[0], bases[1]

    def eye_vertices(self, part: Part) -> np.ndarray:
        """Cage vertices of one eyeball, sorted ``[n]`` int."""
        return np.unique(self.quads[self.quad_parts == part])

    @cached_property
    def eye_bases(self) -> tuple[np.ndarray, np.ndarray]:
        """Eyeball centers (left, right): mean ``[2, 3]`` and identity directions ``[IDENTITY_SIZE, 2, 3]``, float64."""
        sides = [self.eye_vertices(p) for p in (Part.LEFT_EYE, Part.RIGHT_EYE)]
        mean = np.stack([self.mean[s].mean(0) for s in sides]).astype(np.float64)
        return mean, np.stack([self.identity[:, s].mean(1) for s in sides], axis=1).astype(np.float64)

    def eye_centers(self, identity: np.ndarray) -> np.ndarray:
        """Centers of the left and right eyeball for an identity, ``[2, 3]`` float64, model frame."""
        mean, directions = self.eye_bases
        return mean + (identity @ directions.reshape(len(directions), -1)).reshape(mean.shape)

    @cached_property
    def eye_radius(self) -> float:
        """Radius of the mean's eyeballs in model units."""
        side = self.eye_vertices(Part.LEFT_EYE)
        return float(np.linalg.norm(self.mean[side] - self.mean[side].mean(0), axis=1).mean())
