"""The tracker's own way of being wrong about the pose, as a target's footage shows it, taken back.

A tracker's landmarks put a camera beside the one that the pixels agree with
(``offline/reconstruct/pose_refinement.py``), the same way
whenever pose and expression are the same. A linear map from pose and expression tells by how much. Reconstruction
learns it from a person's footage (``offline/reconstruct/camera_map_learning.py``); the target carries it, and the
live loop applies it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from face.camera import ScaledOrthographicCamera
from face.morphable import MorphableModel
from face.parameters import FaceParameters

# Farthest that a camera is moved: turn about x, y, z in radians, log scale, shift in model units.
_LIMIT = np.array([0.06, 0.06, 0.04, 0.05, 0.05, 0.05])


def camera_move(
    start: ScaledOrthographicCamera,
    end: ScaledOrthographicCamera,
    middle: np.ndarray,  # [3] model frame
) -> np.ndarray:
    """What takes one camera to another, ``[6]`` float64: turn (radians), log scale, shift of ``middle`` (model units).

    ``moved`` is the way back.
    """
    turn = Rotation.from_matrix(end.rotation @ start.rotation.T).as_rotvec()
    shift = (end.project(middle) - start.project(middle))[:2] / start.scale
    return np.concatenate([turn, [np.log(end.scale / start.scale)], shift])


def moved(
    camera: ScaledOrthographicCamera,
    move: np.ndarray,  # [6] as from camera_move
    middle: np.ndarray,  # [3] model frame
) -> ScaledOrthographicCamera:
    """The camera after a move."""
    rotation = cv2.Rodrigues(move[:3])[0] @ camera.rotation  # SciPy's rotation takes ten times as long
    turned = ScaledOrthographicCamera(rotation, camera.scale * float(np.exp(move[3])), camera.translation)
    place = camera.project(middle)[:2] + camera.scale * move[4:]
    return replace(turned, translation=camera.translation + place - turned.project(middle)[:2])


def middle_of_face(model: MorphableModel) -> np.ndarray:
    """The point ``[3]`` that moves are about: the mean face's middle."""
    middle: np.ndarray = model.landmark_bases[0].mean(0)
    return middle


def map_inputs(face: FaceParameters) -> np.ndarray:
    """What the map goes by, ``[10 + E]`` float64: 1, yaw, pitch and roll (radians), their products, expression."""
    yaw, pitch, roll = np.radians(face.camera.euler_deg)
    products = [yaw * yaw, pitch * pitch, roll * roll, yaw * pitch, yaw * roll, pitch * roll]
    return np.concatenate([[1.0, yaw, pitch, roll], products, face.expression])


class CameraMap:
    """Moves a fitted face's camera to where the pixels would have it.

    Args:
        model: the morphable model.
        weights: ``[10 + E, 6]`` float64, from ``map_inputs`` to a ``camera_move``; empty for none.
    """

    def __init__(self, model: MorphableModel, weights: np.ndarray) -> None:
        self._middle, self._weights = middle_of_face(model), weights

    def correct(self, face: FaceParameters) -> FaceParameters:
        """The face with its camera moved."""
        if not self._weights.size:
            return face
        move = np.clip(map_inputs(face) @ self._weights, -_LIMIT, _LIMIT)
        return replace(face, camera=moved(face.camera, move, self._middle))
