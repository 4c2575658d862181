"""Scaled orthographic camera: the paper's projection from model to image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_Y_DOWN = np.array([1.0, -1.0, 1.0])


@dataclass(frozen=True)
class ScaledOrthographicCamera:
    """Seven numbers: rotation, scale and 2-D translation.

    Attributes:
        rotation: ``[3, 3]`` float64, model frame to camera frame (x right, y up, z to the viewer).
        scale: px per model unit (dm).
        translation: ``[2]`` float64, px; where the model's origin appears (x right, y down).
    """

    rotation: np.ndarray
    scale: float
    translation: np.ndarray

    def project(self, vertices: np.ndarray) -> np.ndarray:  # [..., 3] model frame
        """Image coordinates ``[..., 3]``: x right px, y down px, depth to the viewer px; as precise as they came."""
        to_image = self.scale * self.rotation.T * _Y_DOWN
        offset = np.array([*self.translation, 0.0], vertices.dtype)
        return vertices @ to_image.astype(vertices.dtype) + offset

    @property
    def euler_deg(self) -> np.ndarray:
        """Yaw, pitch, roll in degrees ``[3]``.

        Positive yaw turns the face to the image's right, positive pitch down, positive roll tilts it
        to the image's left (intrinsic Y-X-Z).
        """
        (_, _, across), (x, y, up), (_, _, ahead) = self.rotation.tolist()
        pitch = math.asin(min(1.0, max(-1.0, -up)))
        return np.degrees([math.atan2(across, ahead), pitch, math.atan2(x, y)])

    @staticmethod
    def from_euler(yaw_pitch_roll_deg: np.ndarray, scale: float, translation: np.ndarray) -> ScaledOrthographicCamera:
        """Camera from yaw, pitch, roll in degrees, px per model unit and px."""
        # By hand: a frame takes these steps ten times, SciPy ten times as long.
        yaw, pitch, roll = map(math.radians, yaw_pitch_roll_deg)
        sy, cy, sp, cp, sr, cr = (f(a) for a in (yaw, pitch, roll) for f in (math.sin, math.cos))
        rotation = np.array([
            [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp],
        ])  # fmt: skip
        return ScaledOrthographicCamera(rotation, float(scale), np.asarray(translation, dtype=np.float64))


def estimate_camera(
    vertices: np.ndarray,  # [N, 3] model frame
    points: np.ndarray,  # [N, 2] px
    weights: np.ndarray,  # [N] non-negative
) -> ScaledOrthographicCamera:
    """Camera from correspondences, in closed form (weighted affine fit, then the nearest scaled rotation).

    It starts the fit; Gauss-Newton steps in ``face.fitting`` make it optimal.
    """
    root = np.sqrt(weights)[:, None]
    design = np.hstack([vertices, np.ones((len(vertices), 1))]) * root
    flipped = points * np.array([1.0, -1.0])
    solution = np.linalg.lstsq(design, flipped * root, rcond=None)[0]
    affine = solution[:3].T  # [2, 3]
    u, sizes, vt = np.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    return ScaledOrthographicCamera(rotation, float(sizes.mean()), solution[3] * np.array([1.0, -1.0]))
