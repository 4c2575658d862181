"""What the kernels of ``kernels.cu`` are given, laid out on the host."""

from __future__ import annotations

import numpy as np

from face.gaze_image import IRIS_RADIUS, PUPIL_RADIUS
from face.landmarks import LEFT_EYE, RIGHT_EYE
from face.morphable import MorphableModel
from face.nmfc import nmfc_colors
from face.parameters import EXPRESSION_SIZE, FaceParameters, gaze_rotation

FACE = np.dtype([
    ("expression", "<f4", EXPRESSION_SIZE), ("rotation", "<f4", (3, 3)), ("scale", "<f4"), ("place", "<f4", 2),
    ("iris", "<f4", (2, 2)), ("iris_radius", "<f4"), ("pupil_radius", "<f4"),
])  # fmt: skip  # struct Face


class FaceMesh:
    """The drawn face and, after its vertices, the eyes' outlines, as linear functions of identity and expression.

    Attributes:
        triangles: ``[T, 3]`` int32 of the drawn face.
        colors: ``[T, 3]`` uint8, NMFC.
        expression: ``[EXPRESSION_SIZE, V, 3]`` float32 model units.
    """

    def __init__(self, model: MorphableModel) -> None:
        rows, self.triangles = model.nmfc_mesh
        self.colors = nmfc_colors(model)
        mean, identity, expression = model.landmark_bases
        eyes = [*LEFT_EYE, *RIGHT_EYE]
        self._mean = np.concatenate([rows @ model.mean, mean[eyes]])
        self._identity = np.stack(
            [np.concatenate([rows @ d, e]) for d, e in zip(model.identity, identity[:, eyes], strict=True)]
        )
        self.expression = np.stack(
            [np.concatenate([rows @ d, e]) for d, e in zip(model.expression, expression[:, eyes], strict=True)]
        ).astype(np.float32)
        self._model = model

    def neutral(self, identity: np.ndarray) -> np.ndarray:  # [IDENTITY_SIZE]
        """Vertices of a person's face at rest, ``[V, 3]`` float32 model units."""
        return (self._mean + np.tensordot(identity, self._identity, 1)).astype(np.float32)

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
