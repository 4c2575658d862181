"""The fit over a whole video (Eq. 2): one identity, an expression per frame, smooth over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from face.eyes import GazeEstimator
from face.fit_online import identity_equations
from face.fitting import (
    FitSettings,
    FrameFit,
    LandmarkBasis,
    expression_prior,
    fit_frame,
    head_camera,
    linearise,
    solve_box,
)
from face.landmarks import SURFACE_COUNT, Landmarks
from face.morphable import MorphableModel
from face.parameters import IDENTITY_SIZE, FaceParameters

_IDENTITY_FRAMES = 120  # spread over the video
_IDENTITY_ROUNDS = 4
_CAMERA_ROUNDS = 2
_SWEEPS = 12


def fit_identity(basis: LandmarkBasis, landmarks: Sequence[Landmarks], settings: FitSettings) -> np.ndarray:
    """One person's identity ``[IDENTITY_SIZE]``, within the box, by alternating with expression and camera."""
    chosen = [landmarks[k] for k in np.unique(np.linspace(0, len(landmarks) - 1, _IDENTITY_FRAMES).astype(int))]
    identity = np.zeros(IDENTITY_SIZE)
    fits: list[FrameFit | None] = [None] * len(chosen)
    for _ in range(_IDENTITY_ROUNDS):
        hessian, gradient = np.eye(IDENTITY_SIZE), np.zeros(IDENTITY_SIZE)
        for k, one in enumerate(chosen):
            fit = fit_frame(basis, one, identity, None, settings)
            fits[k] = fit
            h, g = identity_equations(basis, one, fit, identity, settings)
            hessian += h
            gradient += g
        limit = np.full(IDENTITY_SIZE, settings.identity_limit)
        identity = solve_box(hessian, gradient, identity, -limit, limit, 400)
    return identity


@njit(cache=True, nogil=True)
def smooth_expressions(
    hessians: np.ndarray,  # [F, E, E] float64, data term and prior of consecutive frames
    gradients: np.ndarray,  # [F, E] float64
    expressions: np.ndarray,  # [F, E] float64, start; changed in place
    low: np.ndarray,  # [E] float64
    high: np.ndarray,  # [E] float64
    weight: float,
    sweeps: int,
) -> None:
    """Minimise the frames' quadratics plus ``weight`` times squared second differences, within the box.

    Block coordinate descent: each frame in turn is solved in its box with its neighbours held.
    """
    frames, units = expressions.shape
    for _ in range(sweeps):
        for f in range(frames):
            diagonal = 0.0
            pull = np.zeros(units)
            for middle in range(max(1, f - 1), min(frames - 2, f + 1) + 1):
                own = -2.0 if middle == f else 1.0
                diagonal += own * own
                for other in range(middle - 1, middle + 2):
                    if other != f:
                        factor = own * (-2.0 if other == middle else 1.0)
                        pull -= factor * expressions[other]
            hessian = hessians[f].copy()
            for k in range(units):
                hessian[k, k] += weight * diagonal
            expressions[f] = solve_box(hessian, gradients[f] + weight * pull, expressions[f], low, high, 20, 1e-4)


def _fit_stretch(
    basis: LandmarkBasis, landmarks: Sequence[Landmarks], identity: np.ndarray, settings: FitSettings
) -> list[FrameFit]:
    """Camera and smooth expression of consecutive frames for a known identity."""
    fits: list[FrameFit] = []
    for one in landmarks:
        fits.append(fit_frame(basis, one, identity, fits[-1] if fits else None, settings))
    prior_weight = settings.expression_spread**-2
    expressions = np.stack([f.expression for f in fits])
    priors = np.stack([expression_prior(one.scores) for one in landmarks])
    for _ in range(_CAMERA_ROUNDS):
        equations = [
            linearise(basis, one.points[:SURFACE_COUNT], fit.camera, identity, fit.expression, settings, False)
            for one, fit in zip(landmarks, fits, strict=True)
        ]
        hessians = np.stack([e.hessian for e in equations]) + np.diag(prior_weight)
        gradients = np.stack([e.gradient for e in equations]) + prior_weight * priors
        smooth_expressions(
            hessians, gradients, expressions, basis.low, basis.high, settings.smoothness_spread**-2, _SWEEPS
        )
        fits = [FrameFit(e.camera_at(z), z.copy()) for e, z in zip(equations, expressions, strict=True)]
    return fits


def stretches(present: Sequence[bool]) -> list[tuple[int, int]]:
    """Runs of ``True`` as half-open ranges."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(present, int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def fit_video(
    model: MorphableModel,
    landmarks: Sequence[Landmarks | None],
    settings: FitSettings | None = None,
    cuts: Sequence[int] = (),
    identity: np.ndarray | None = None,
) -> list[FaceParameters | None]:
    """Fit every frame of a video of one person (Eq. 2).

    Args:
        model: the morphable model.
        landmarks: per frame, ``None`` where there is no face; those frames stay ``None``.
        settings: weights; the online fit's by default.
        cuts: frame numbers at which a new take begins, across which nothing is smoothed.
        identity: ``[IDENTITY_SIZE]`` if it is known already; found from the video otherwise.
    """
    settings = settings or FitSettings()
    basis = LandmarkBasis(model)
    faces = [one for one in landmarks if one is not None]
    result: list[FaceParameters | None] = [None] * len(landmarks)
    if not faces:
        return result
    if identity is None:
        identity = fit_identity(basis, faces, settings)
    gaze = GazeEstimator(model)
    for first, last in stretches([one is not None for one in landmarks]):
        inner = [c for c in cuts if first < c < last]
        for start, stop in zip([first, *inner], [*inner, last], strict=True):
            take = [one for one in landmarks[start:stop] if one is not None]
            gaze.reset()
            for k, (one, fit) in enumerate(zip(take, _fit_stretch(basis, take, identity, settings), strict=True)):
                camera = head_camera(basis, fit.camera, settings)
                angles = gaze.estimate(one, identity, fit.expression, camera)
                result[start + k] = FaceParameters(identity, fit.expression, camera, angles)
    return result
