"""What the kernels of ``conditioning_kernels.cu`` are given, laid out on the host."""

from __future__ import annotations

import numpy as np

from face.gaze_image import IRIS_RADIUS, PUPIL_RADIUS
from face.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from face.morphable import MorphableModel
from face.mouth_parts import MouthParts, TeethPlacement
from face.nmfc import nmfc_colors
from face.parameters import EXPRESSION_SIZE, FaceParameters, gaze_rotation

FACE = np.dtype([
    ("expression", "<f4", EXPRESSION_SIZE), ("rotation", "<f4", (3, 3)), ("scale", "<f4"), ("place", "<f4", 2),
    ("iris", "<f4", (2, 2)), ("iris_radius", "<f4"), ("pupil_radius", "<f4"),
])  # fmt: skip  # struct Face
OUTLINES = [*INNER_LIPS, *LEFT_EYE, *RIGHT_EYE]  # landmarks


class FaceMesh:
    """All that is drawn as a linear function of identity and expression.

    Its vertices are those of the face, of teeth and tongue where they are drawn, and of the outlines of lips and eyes.

    Args:
        model: the morphable model.
        teeth: of the person; ``None`` leaves the mouth black.

    Attributes:
        triangles: ``[T, 3]`` int32 of the face, then of teeth and tongue.
        colors: ``[T, 3]`` uint8, NMFC.
        face_vertices, face_triangles: how many of them are the face's.
        expression: ``[EXPRESSION_SIZE, V, 3]`` float32 model units.
    """

    def __init__(self, model: MorphableModel, teeth: TeethPlacement | None = None) -> None:
        rows, self.triangles = model.nmfc_mesh
        self.colors = nmfc_colors(model)
        self.face_vertices, self.face_triangles = rows.shape[0], len(self.triangles)
        self._model, self._rows, self._teeth = model, rows, teeth
        self._parts = MouthParts(model) if teeth else None
        mean, identity, expression = (basis[..., OUTLINES, :] for basis in model.landmark_bases)
        self._outlines = mean, identity
        moved = [np.stack([rows @ d for d in model.expression]), expression]
        if self._parts:
            self.triangles = np.concatenate([self.triangles, self._parts.triangles + self.face_vertices])
            self.colors = np.concatenate([self.colors, self._parts.colors])
            moved.insert(1, self._parts.expression)
        self.expression = np.concatenate(moved, axis=1).astype(np.float32)

    def neutral(self, identity: np.ndarray) -> np.ndarray:  # [IDENTITY_SIZE]
        """Vertices of a person's face at rest, ``[V, 3]`` float32 model units."""
        shape = self._model.mean + np.tensordot(identity, self._model.identity, 1)
        mean, directions = self._outlines
        vertices = [self._rows @ shape, mean + np.tensordot(identity, directions, 1)]
        if self._parts and self._teeth:
            vertices.insert(1, self._parts.at_rest(identity, self._teeth))
        return np.concatenate(vertices).astype(np.float32)

    def pack(self, parameters: FaceParameters) -> np.ndarray:
        """One ``FACE`` record ``[1]``."""
        camera = parameters.camera
        packed = np.zeros(1, FACE)
        record = packed[0]
        record["expression"], record["rotation"] = parameters.expression, camera.rotation
        record["scale"], record["place"] = camera.scale, camera.translation
        forward = gaze_rotation(parameters.gaze)[:, 2] * self._model.eye_radius
        record["iris"] = camera.project(self._model.eye_centers(parameters.identity) + forward)[:, :2]
        radius_px = self._model.eye_radius * camera.scale
        record["iris_radius"], record["pupil_radius"] = IRIS_RADIUS * radius_px, PUPIL_RADIUS * radius_px
        return packed
