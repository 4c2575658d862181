"""Pose, expression and identity from landmarks: the maths that the batch fit and the per-frame fit share.

The energy is the paper's Eq. 2: weighted squared reprojection errors, quadratic priors and box constraints on
identity and expression. One Gauss-Newton step linearizes the scaled orthographic camera; the camera is then
eliminated and the expression solved by coordinate descent within its box.

Residuals are measured in model units (pixels over scale), so that weights do not depend on the size of the face. That
scale is held while it is solved for: otherwise a smaller head, seen larger, would cost less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numba import njit

from face.camera import ScaledOrthographicCamera, estimate_camera
from face.landmarks import SURFACE_COUNT, UNIT_NAMES, Landmarks, fit_weights
from face.morphable import MorphableModel
from face.parameters import EXPRESSION_SIZE, UNITS, of_units
from face.per_identity_cache import OncePerPerson

_SPREAD = 0.08  # of a unit about the tracker's score
_SPREADS = {  # of units, by the beginning of their names, where points or scores are the surer
    "eyeBlink": 0.03, "eyeSquint": 0.03, "eyeWide": 0.03,  # few points lie about the lids
    "jaw": 0.04,  # correctives of the mouth would else be taken for it
    "mouth": 0.1, "brow": 0.2, "noseSneer": 0.2, "cheekSquint": 0.2,  # many lie about lips and brows
    "mouthClose": 0.03, "mouthShrug": 0.03,  # would else be taken for a moving jaw
}  # fmt: skip
CAMERA_SIZE = 6  # rotation 3, log scale 1, translation 2


def expression_spreads() -> np.ndarray:
    """How far each coefficient may be from its prior's center, standard deviations ``[EXPRESSION_SIZE]`` float64."""
    spreads = np.full(EXPRESSION_SIZE, 1.5)
    spreads[UNITS] = _SPREAD
    for beginning, spread in _SPREADS.items():
        spreads[UNITS][[name.startswith(beginning) for name in UNIT_NAMES]] = spread
    return spreads


@dataclass(frozen=True, kw_only=True, slots=True)
class FitSettings:
    """Weights of Eq. 2; both fits use the same, so that training and live see the same conditioning.

    Attributes:
        landmark_noise: standard deviation of a landmark of weight 1, model units (dm): about 2 % of the inter-ocular
            distance.
        expression_spread: ``[EXPRESSION_SIZE]``, standard deviation of each unit around what the tracker's scores
            say, and of each corrective around 0.
        identity_limit: box of identity coefficients, standard deviations.
        identity_frames: how many frames' landmarks identity's prior is weighed against, at most: the tracker errs
            alike in all frames of a person, so that more of them do not make it surer.
        smoothness_spread: standard deviation of a unit's second difference (batch fit, E_sm).
        outlier_noises: residuals beyond this many ``landmark_noise`` lose weight (Geman-McClure).
        pitch_gain: how much farther a head is pitched than the tracker's landmarks say, which shy away from pitch (not
            from yaw or roll): by 1.2 on path-traced people, by 1.45 on rasterized ones.
        iterations: Gauss-Newton steps per frame when warm.
    """

    landmark_noise: float = 0.015
    expression_spread: np.ndarray = field(default_factory=expression_spreads)
    identity_limit: float = 3.0
    identity_frames: float = 4.0
    smoothness_spread: float = 0.15
    outlier_noises: float = 8.0
    pitch_gain: float = 1.3
    iterations: int = 2


def expression_prior(scores: np.ndarray) -> np.ndarray:
    """Where the prior on expression is centered, ``[EXPRESSION_SIZE]``: the tracker's scores, and 0 for correctives."""
    return of_units(np.clip(scores, 0.0, 1.0))


@njit(cache=True, nogil=True)
def solve_box(
    hessian: np.ndarray,  # [n, n] float64, symmetric positive definite
    gradient: np.ndarray,  # [n] float64: minimize x·H·x/2 - gradient·x
    start: np.ndarray,  # [n] float64
    low: np.ndarray,  # [n] float64
    high: np.ndarray,  # [n] float64
    sweeps: int = 60,
    tolerance: float = 1e-4,
) -> np.ndarray:
    """Minimize a quadratic within a box by cyclic coordinate descent, warm-started; ``[n]`` float64."""
    x = np.minimum(np.maximum(start, low), high)
    residual = gradient - hessian @ x
    for _ in range(sweeps):
        largest = 0.0
        for k in range(x.size):
            value = min(max(x[k] + residual[k] / hessian[k, k], low[k]), high[k])
            step = value - x[k]
            if step != 0.0:
                x[k] = value
                for j in range(x.size):
                    residual[j] -= step * hessian[k, j]  # a row: symmetric, and contiguous
                largest = max(largest, abs(step))
        if largest < tolerance:
            break
    return x


class LandmarkBasis:
    """The model at the landmarks, laid out for the fit.

    Attributes:
        mean: ``[468, 3]`` float64, model units.
        middle: ``[3]`` float64, of the landmarks.
        identity: ``[468, 3, K]`` float64, directions.
        moves: ``[468, 3, K]`` float32, directions of expression; ``all_moves``: and of identity.
        low, high: ``[EXPRESSION_SIZE]`` float64, the box of expression.
        weights: ``[468]`` float64.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.mean, identity, expression = model.landmark_bases
        self.identity = np.ascontiguousarray(identity.transpose(1, 2, 0))
        self.moves = np.ascontiguousarray(expression.transpose(1, 2, 0), np.float32)
        self.middle: np.ndarray = self.mean.mean(0)
        self.all_moves = np.concatenate([self.moves, self.identity.astype(np.float32)], axis=2)
        self.low, self.high = model.expression_box.astype(np.float64).T
        self.weights = fit_weights()
        self._neutral = OncePerPerson(self._at_rest)

    def shape(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """Landmarks of a face in the model frame, ``[468, 3]``."""
        return self._neutral(identity) + self.moves @ expression.astype(np.float32)

    def visible_weights(self, landmarks: Landmarks) -> np.ndarray:
        """Weights ``[468]`` of a frame's landmarks."""
        return self.weights if landmarks.visibility is None else self.weights * landmarks.visibility

    def _at_rest(self, identity: np.ndarray) -> np.ndarray:
        return self.mean + self.identity @ identity


@dataclass(frozen=True)
class NormalEquations:
    """One frame's quadratic around its current estimate, camera eliminated, with expression's prior.

    Over z = (expression, identity), absolute values: ``z·H·z/2 - g·z``. The camera that goes with a z is
    ``camera_at(z)``.
    """

    hessian: np.ndarray
    gradient: np.ndarray
    camera: ScaledOrthographicCamera
    camera_gain: np.ndarray
    camera_offset: np.ndarray

    def camera_at(self, z: np.ndarray) -> ScaledOrthographicCamera:
        """Best camera for coefficients z, one Gauss-Newton step from the linearization's camera."""
        step = self.camera_offset - self.camera_gain @ z
        turn = cv2.Rodrigues(step[:3])[0]
        translation = self.camera.translation + step[4:6] * self.camera.scale
        return ScaledOrthographicCamera(
            turn @ self.camera.rotation, self.camera.scale * float(np.exp(step[3])), translation
        )


@njit(cache=True, nogil=True)
def _weighted_jacobian(
    shape: np.ndarray,  # [468, 3] float64, landmarks in the model frame
    directions: np.ndarray,  # [468, 3, K] float32
    rotation: np.ndarray,  # [3, 3] float64, the camera's
    seen: np.ndarray,  # [468, 2] float64, tracked landmarks before the camera: model units, x right, y up
    weights: np.ndarray,  # [468] float64
    noise: float,  # of a landmark, model units
    outlier: float,  # from how many noises on a landmark counts less
) -> np.ndarray:
    """How the weighted landmarks move with turn, log scale, shift and coefficients, and how far off they are.

    Returns:
        ``[2, 468, 6 + K + 1]`` float32, across and up.
    """
    count, _, size = directions.shape
    jacobian = np.empty((2, count, CAMERA_SIZE + size + 1), np.float32)
    for n in range(count):
        px, py, pz = shape[n]
        x = rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz
        y = rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz
        z = rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz
        off_across, off_up = seen[n, 0] - x, seen[n, 1] - y
        robust = 1.0 / (1.0 + (off_across**2 + off_up**2) / (noise * outlier) ** 2) ** 2
        root = math.sqrt(weights[n] * robust) / noise
        across, up = jacobian[0, n], jacobian[1, n]
        x, y, z = x * root, y * root, z * root
        across[0], across[1], across[2] = 0.0, z, -y  # turned + omega × turned
        up[0], up[1], up[2] = -z, 0.0, x
        across[3], up[3] = x, y
        across[4], across[5] = root, 0.0
        up[4], up[5] = 0.0, -root
        a, b = (rotation[0] * root).astype(np.float32), (rotation[1] * root).astype(np.float32)
        for k in range(size):
            dx, dy, dz = directions[n, 0, k], directions[n, 1, k], directions[n, 2, k]
            across[CAMERA_SIZE + k] = a[0] * dx + a[1] * dy + a[2] * dz
            up[CAMERA_SIZE + k] = b[0] * dx + b[1] * dy + b[2] * dz
        across[-1], up[-1] = off_across * root, off_up * root
    return jacobian


def linearize(
    basis: LandmarkBasis,
    landmarks: Landmarks,
    camera: ScaledOrthographicCamera,
    identity: np.ndarray,  # [IDENTITY_SIZE]
    expression: np.ndarray,  # [EXPRESSION_SIZE]
    settings: FitSettings,
    with_identity: bool,
) -> NormalEquations:
    """Normal equations around an estimate, gross outliers down-weighted (IRLS).

    The prior pulls expression to the tracker's scores; identity's is left to whoever sums the frames.
    """
    seen = (landmarks.points[:SURFACE_COUNT] - camera.translation) * [1 / camera.scale, -1 / camera.scale]
    directions, known = basis.moves, expression
    if with_identity:
        directions, known = basis.all_moves, np.concatenate([expression, identity])
    flat = _weighted_jacobian(
        basis.shape(identity, expression), directions, camera.rotation, seen, basis.visible_weights(landmarks),
        settings.landmark_noise, settings.outlier_noises,
    ).reshape(2 * SURFACE_COUNT, -1)  # fmt: skip
    gram = (flat.T @ flat).astype(np.float64)  # in half the time, and far finer than landmarks are
    normal = gram[:-1, :-1]
    right = gram[:-1, -1] + normal[:, CAMERA_SIZE:] @ known

    cut = CAMERA_SIZE
    inverse = np.linalg.inv(normal[:cut, :cut])
    gain = inverse @ normal[:cut, cut:]
    offset = inverse @ right[:cut]
    hessian = normal[cut:, cut:] - normal[cut:, :cut] @ gain
    gradient = right[cut:] - normal[cut:, :cut] @ offset
    prior_weight = settings.expression_spread**-2
    own = np.arange(EXPRESSION_SIZE)
    hessian[own, own] += prior_weight
    gradient[own] += prior_weight * expression_prior(landmarks.scores)
    return NormalEquations(hessian, gradient, camera, gain, offset)


def start_camera(
    basis: LandmarkBasis, landmarks: Landmarks, identity: np.ndarray, expression: np.ndarray
) -> ScaledOrthographicCamera:
    """Camera from landmarks alone, for a frame without a predecessor."""
    points = landmarks.points[:SURFACE_COUNT]
    return estimate_camera(basis.shape(identity, expression), points, basis.visible_weights(landmarks))


def landmark_distance_px(
    basis: LandmarkBasis,
    landmarks: Landmarks,
    camera: ScaledOrthographicCamera,
    identity: np.ndarray,
    expression: np.ndarray,
    selection: np.ndarray,
) -> float:
    """Mean distance of fitted and tracked landmarks in the image, px, for landmark indices ``[n]``."""
    fitted = camera.project(basis.shape(identity, expression))[selection, :2]
    return float(np.linalg.norm(fitted - landmarks.points[selection], axis=1).mean())


def head_camera(
    basis: LandmarkBasis, camera: ScaledOrthographicCamera, settings: FitSettings
) -> ScaledOrthographicCamera:
    """The head's camera from the landmarks' (``FitSettings.pitch_gain``), about the middle of the face."""
    return _pitch_scaled(basis, camera, settings.pitch_gain)


def landmarks_camera(
    basis: LandmarkBasis, camera: ScaledOrthographicCamera, settings: FitSettings
) -> ScaledOrthographicCamera:
    """The landmarks' camera from the head's: the way back from ``head_camera``."""
    return _pitch_scaled(basis, camera, 1 / settings.pitch_gain)


def _pitch_scaled(basis: LandmarkBasis, camera: ScaledOrthographicCamera, factor: float) -> ScaledOrthographicCamera:
    yaw, pitch, roll = camera.euler_deg
    euler = np.array([yaw, pitch * factor, roll])
    turned = ScaledOrthographicCamera.from_euler(euler, camera.scale, camera.translation)
    shift = camera.project(basis.middle) - turned.project(basis.middle)
    return replace(turned, translation=camera.translation + shift[:2])


@dataclass(frozen=True)
class FrameFit:
    """One frame's estimate: the landmarks' camera and expression ``[EXPRESSION_SIZE]``."""

    camera: ScaledOrthographicCamera
    expression: np.ndarray


def fit_frame(
    basis: LandmarkBasis,
    landmarks: Landmarks,
    identity: np.ndarray,  # [IDENTITY_SIZE]
    previous: FrameFit | None,
    settings: FitSettings,
) -> FrameFit:
    """Pose and expression of one frame for a known identity, from where the previous frame left off."""
    iterations = settings.iterations
    if previous is None:
        prior = expression_prior(landmarks.scores)
        previous = FrameFit(start_camera(basis, landmarks, identity, prior), prior)
        iterations += 3
    estimate = previous
    for _ in range(iterations):
        equations = linearize(basis, landmarks, estimate.camera, identity, estimate.expression, settings, False)
        expression = solve_box(equations.hessian, equations.gradient, estimate.expression, basis.low, basis.high)
        estimate = FrameFit(equations.camera_at(expression), expression)
    return estimate
