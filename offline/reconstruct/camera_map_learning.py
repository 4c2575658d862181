"""Learns from a person's aligned footage how the live fit's cameras lie (``face/camera_map.py``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face.camera_map import camera_move, map_inputs, middle_of_face
from face.morphable import MorphableModel
from face.parameters import FaceParameters

_RIDGE = 0.2  # of each input's variance: takes that were left out are met best with 0.1 to 0.3
_LEAST_SPREAD = 1e-3  # of an input that hardly moves


def learn_camera_map(
    model: MorphableModel, fitted: Sequence[FaceParameters], aligned: Sequence[FaceParameters]
) -> np.ndarray:
    """Weights ``[10 + E, 6]`` for ``CameraMap``, by ridge regression from the fitted faces to the aligned cameras."""
    middle = middle_of_face(model)
    moves = np.stack([camera_move(a.camera, b.camera, middle) for a, b in zip(fitted, aligned, strict=True)])
    inputs = np.stack([map_inputs(face) for face in fitted])[:, 1:]
    mean, spread = inputs.mean(0), inputs.std(0) + _LEAST_SPREAD
    scaled = (inputs - mean) / spread
    normal = scaled.T @ scaled / len(scaled) + _RIDGE * np.eye(scaled.shape[1])
    slopes = np.linalg.solve(normal, scaled.T @ (moves - moves.mean(0)) / len(scaled)) / spread[:, None]
    return np.vstack([moves.mean(0) - mean @ slopes, slopes])
