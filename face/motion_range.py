"""The range of pose and expression in a network's training footage: beyond it, images break up."""

from __future__ import annotations

import numpy as np

from face.camera import ScaledOrthographicCamera
from face.parameters import BROWS, EXPRESSION_SIZE, MOUTH, UNITS

# How far from the footage each number may be without harm, standard deviations: degrees of yaw, pitch and roll, log
# scale, model units of place, then units and correctives. It also bounds what a person who never did something may be
# made to do.
_ANGLE_DEG, _LOG_SCALE, _PLACE, _UNIT, _CORRECTIVE = 1.0, 0.01, 0.02, 0.1, 0.5
_ANGLES, _PLACES = slice(0, 3), slice(3, 6)  # of a motion's numbers; its expression follows
# Per cent of the footage that lie inside. A network hardly learns where a head seldom is; expressions do less harm.
_HEAD_SHOWN, _EXPRESSION_SHOWN = 95.0, 100.0


def pose(camera: ScaledOrthographicCamera) -> np.ndarray:
    """A head's pose, ``[6]``: yaw, pitch, roll in degrees, log of the scale, place in model units."""
    return np.concatenate([camera.euler_deg, [np.log(camera.scale)], camera.translation / camera.scale])


def motion_ellipsoids(
    poses: np.ndarray,  # [F, 6] as from ``pose``
    expressions: np.ndarray,  # [F, EXPRESSION_SIZE]
) -> tuple[np.ndarray, np.ndarray]:
    """Three ellipsoids about the footage: of angles, of places given them, of expressions given both.

    They are shaped like its covariance. One for all together would be as wide as its many numbers allow:
    a single one could leave the footage far behind.

    Returns:
        Their center ``[6 + E]``, and a lower triangular matrix ``[6 + E, 6 + E]``. It takes a motion's offset to three
        parts, each no longer than 1 within its ellipsoid.
    """
    motion = np.column_stack([poses, expressions])
    harmless = np.empty(EXPRESSION_SIZE)
    harmless[UNITS], harmless[MOUTH], harmless[BROWS] = _UNIT, _CORRECTIVE, _CORRECTIVE
    center = motion.mean(0)
    offsets = motion - center
    deviations = np.concatenate([[_ANGLE_DEG] * 3, [_LOG_SCALE], [_PLACE] * 2, harmless])
    spread = offsets.T @ offsets / len(motion) + np.diag(deviations**2)
    whitening = np.linalg.inv(np.linalg.cholesky(spread))
    for part in _parts(len(center)):
        shown = _EXPRESSION_SHOWN if part.stop == len(center) else _HEAD_SHOWN
        whitening[part] /= np.percentile(np.linalg.norm(offsets @ whitening[part].T, axis=1), shown)
    return center, whitening


def _parts(size: int) -> list[slice]:
    """Parts of a motion of so many numbers; targets of before know no scale and place."""
    places = [_PLACES] if size == _PLACES.stop + EXPRESSION_SIZE else []
    return [_ANGLES, *places, slice(size - EXPRESSION_SIZE, size)]


class MotionRange:
    """Keeps angles, scale and place, and expression each within an ellipsoid about what goes with those before it.

    Args:
        center, whitening: from ``motion_ellipsoids``; empty where a target does not tell: nothing is kept back.
    """

    def __init__(self, center: np.ndarray, whitening: np.ndarray) -> None:
        self._center = center
        self._parts = [
            (part, whitening[part, part], -np.linalg.solve(whitening[part, part], whitening[part, : part.start]))
            for part in (_parts(center.size) if center.size else [])
        ]

    def keep(
        self, camera: ScaledOrthographicCamera, expression: np.ndarray
    ) -> tuple[ScaledOrthographicCamera, np.ndarray]:
        """The nearest camera and expression ``[EXPRESSION_SIZE]`` inside, by the ellipsoids.

        What is outside moves straight towards the middle, so that motion stays smooth.
        """
        if not self._parts:
            return camera, expression
        known = self._center.size - EXPRESSION_SIZE
        kept_pose = pose(camera)
        offset = np.concatenate([kept_pose[:known], expression]) - self._center
        for part, whitening, goes_with in self._parts:
            middle = goes_with @ offset[: part.start]
            apart = offset[part] - middle
            offset[part] = middle + apart / max(float(np.linalg.norm(whitening @ apart)), 1.0)
        kept = self._center + offset
        kept_pose[:known] = kept[:known]
        scale = float(np.exp(kept_pose[3]))
        angles, place = kept_pose[_ANGLES], kept_pose[4:]
        return ScaledOrthographicCamera.from_euler(angles, scale, place * scale), kept[known:]
