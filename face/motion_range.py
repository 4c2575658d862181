"""The range of pose and expression in a network's training footage: beyond it, images break up."""

from __future__ import annotations

import numpy as np

from face.parameters import BROWS, EXPRESSION_SIZE, MOUTH, UNITS

# How far from the footage each number may be without harm, standard deviations: degrees of yaw, pitch and roll, then
# units and correctives. It also bounds what a person who never did something may be made to do.
_POSE_DEG, _UNIT, _CORRECTIVE = 3.0, 0.1, 0.5


def motion_ellipsoid(
    euler_deg: np.ndarray,  # [F, 3] yaw, pitch, roll
    expression: np.ndarray,  # [F, EXPRESSION_SIZE]
) -> tuple[np.ndarray, np.ndarray]:
    """The ellipsoid about all frames, shaped like their covariance.

    Returns:
        Its center ``[3 + E]``, and the triangular matrix ``[3 + E, 3 + E]`` that makes it the unit ball.
    """
    motion = np.column_stack([euler_deg, expression])
    harmless = np.empty(EXPRESSION_SIZE)
    harmless[UNITS], harmless[MOUTH], harmless[BROWS] = _UNIT, _CORRECTIVE, _CORRECTIVE
    center = motion.mean(0)
    offsets = motion - center
    spread = offsets.T @ offsets / len(motion) + np.diag(np.concatenate([[_POSE_DEG] * 3, harmless]) ** 2)
    whitening = np.linalg.inv(np.linalg.cholesky(spread))
    farthest = np.linalg.norm(offsets @ whitening.T, axis=1).max()
    return center, whitening / farthest


class MotionRange:
    """Keeps pose and expression within an ellipsoid.

    Args:
        center, whitening: from ``motion_ellipsoid``; empty where a target does not tell: nothing is kept back.
    """

    def __init__(self, center: np.ndarray, whitening: np.ndarray) -> None:
        self._center, self._whitening = center, whitening

    def keep(self, euler_deg: np.ndarray, expression: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest yaw, pitch and roll ``[3]`` and expression ``[EXPRESSION_SIZE]`` inside, by the ellipsoid.

        What is outside moves straight towards the center, so that motion stays smooth.
        """
        if not self._center.size:
            return euler_deg, expression
        offset = np.concatenate([euler_deg, expression]) - self._center
        outside = float(np.linalg.norm(self._whitening @ offset))
        kept = self._center + offset / max(outside, 1.0)
        return kept[:3], kept[3:]
