"""Who it is: the identity of Eq. 2, found together with the expressions and cameras of all frames.

Each round linearizes the cameras and eliminates them. What is left is a quadratic in one identity and an expression per
frame, each within its box. Frames meet only in the identity: every frame's free coefficients are eliminated in turn
(Schur complement), the identity is solved, and the expressions follow; coefficients on their bounds are held.
Smoothness over time comes after, for the identity that was found: it hardly changes which one is best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from face.fitting import FitSettings, FrameFit, LandmarkBasis, NormalEquations, fit_frame, linearize, solve_box
from face.landmarks import Landmarks
from face.parameters import EXPRESSION_SIZE, IDENTITY_SIZE

_FRAMES = 120  # spread over the video
_ROUNDS = 8
_SETTLED = 0.02  # standard deviations: a round that moves identity by less is the last
_ACTIVE_SETS = 2  # how often a round asks anew which coefficients rest on their bounds

_OWN = slice(EXPRESSION_SIZE, None)  # identity's part of the equations; expression's comes first


def without_expression(
    basis: LandmarkBasis,
    equations: NormalEquations,
    expression: np.ndarray,  # [EXPRESSION_SIZE]
) -> tuple[np.ndarray, np.ndarray]:
    """What one frame says about identity: hessian ``[I, I]`` and gradient ``[I]``, expression eliminated.

    Coefficients that rest on their bounds are taken as known, the others as unknown with their prior, so that a smile
    is not taken for a wide mouth.
    """
    hessian, gradient = equations.hessian, equations.gradient
    free = (expression > basis.low) & (expression < basis.high)
    free_index, fixed = np.flatnonzero(free), np.flatnonzero(~free)
    known = expression[fixed]
    right_free = gradient[free_index] - hessian[np.ix_(free_index, fixed)] @ known
    across = hessian[_OWN, free_index]
    factor = cho_factor(hessian[np.ix_(free_index, free_index)], check_finite=False)
    gain = cho_solve(factor, np.column_stack([across.T, right_free]), check_finite=False)
    reduced = hessian[_OWN, _OWN] - across @ gain[:, :-1]
    return reduced, gradient[_OWN] - hessian[_OWN, fixed] @ known - across @ gain[:, -1]


def solve_identity(
    hessian: np.ndarray,  # [I, I], summed over frames
    gradient: np.ndarray,  # [I]
    frames: int,
    start: np.ndarray,  # [I]
    settings: FitSettings,
) -> np.ndarray:
    """Identity ``[IDENTITY_SIZE]`` within its box for what frames say and the prior, which is standard normal."""
    limit = np.full(IDENTITY_SIZE, settings.identity_limit)
    prior = max(1.0, frames / settings.identity_frames) * np.eye(IDENTITY_SIZE)
    return solve_box(hessian + prior, gradient, start, -limit, limit, 400)


def fit_identity(basis: LandmarkBasis, landmarks: Sequence[Landmarks], settings: FitSettings) -> np.ndarray:
    """One person's identity ``[IDENTITY_SIZE]`` from frames spread over a video."""
    chosen = [landmarks[k] for k in np.unique(np.linspace(0, len(landmarks) - 1, _FRAMES).astype(int))]
    identity = np.zeros(IDENTITY_SIZE)
    fits = [fit_frame(basis, frame, identity, None, settings) for frame in chosen]
    for _ in range(_ROUNDS):
        before = identity
        identity, fits = _joint_step(basis, chosen, fits, identity, settings)
        if np.abs(identity - before).max() < _SETTLED:
            break
    return identity


def _joint_step(
    basis: LandmarkBasis,
    landmarks: Sequence[Landmarks],
    fits: Sequence[FrameFit],
    identity: np.ndarray,  # [IDENTITY_SIZE]
    settings: FitSettings,
) -> tuple[np.ndarray, list[FrameFit]]:
    """One Gauss-Newton step of identity and of all frames' expressions and cameras together."""
    equations = [
        linearize(basis, frame, fit.camera, identity, fit.expression, settings, True)
        for frame, fit in zip(landmarks, fits, strict=True)
    ]
    among = [np.ascontiguousarray(e.hessian[:EXPRESSION_SIZE, :EXPRESSION_SIZE]) for e in equations]
    expressions = [fit.expression for fit in fits]
    for _ in range(_ACTIVE_SETS):
        reduced = [without_expression(basis, e, z) for e, z in zip(equations, expressions, strict=True)]
        hessian, gradient = (np.sum(part, axis=0) for part in zip(*reduced, strict=True))
        identity = solve_identity(hessian, gradient, len(equations), identity, settings)
        rights = [e.gradient[:EXPRESSION_SIZE] - e.hessian[:EXPRESSION_SIZE, _OWN] @ identity for e in equations]
        expressions = [
            solve_box(h, g, z, basis.low, basis.high) for h, g, z in zip(among, rights, expressions, strict=True)
        ]
    return identity, [
        FrameFit(e.camera_at(np.concatenate([z, identity])), z) for e, z in zip(equations, expressions, strict=True)
    ]
