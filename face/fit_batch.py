"""The fit over a whole video (Eq. 2): one identity, an expression per frame, smooth over time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numba import njit

from face.fit_joint_identity import fit_identity
from face.fitting import FitSettings, FrameFit, LandmarkBasis, fit_frame, head_camera, linearize, solve_box
from face.gaze_estimation import GazeEstimator
from face.landmarks import Landmarks
from face.morphable import MorphableModel
from face.parameters import FaceParameters

_CAMERA_ROUNDS = 2
_SWEEPS = 12


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
    """Minimize the frames' quadratics plus ``weight`` times squared second differences, within the box.

    Block coordinate descent: each frame in turn is solved in its box with its neighbors held.
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


def _fit_take(
    basis: LandmarkBasis, landmarks: Sequence[Landmarks], identity: np.ndarray, settings: FitSettings
) -> list[FrameFit]:
    """Camera and smooth expression of consecutive frames for a known identity."""
    fits: list[FrameFit] = []
    rough = replace(settings, iterations=1)  # the rounds below go on from here
    for frame in landmarks:
        fits.append(fit_frame(basis, frame, identity, fits[-1] if fits else None, rough))
    expressions = np.stack([f.expression for f in fits])
    for _ in range(_CAMERA_ROUNDS):
        equations = [
            linearize(basis, frame, fit.camera, identity, fit.expression, settings, False)
            for frame, fit in zip(landmarks, fits, strict=True)
        ]
        hessians = np.stack([e.hessian for e in equations])
        gradients = np.stack([e.gradient for e in equations])
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
    result: list[FaceParameters | None] = [None] * len(landmarks)
    spans = [span for stretch in stretches([frame is not None for frame in landmarks]) for span in _cut(stretch, cuts)]
    takes = [[frame for frame in landmarks[start:stop] if frame is not None] for start, stop in spans]
    if not takes:
        return result
    if identity is None:
        identity = fit_identity(basis, [frame for take in takes for frame in take], settings)
    gaze = GazeEstimator(model)
    for (start, _), take in zip(spans, takes, strict=True):
        gaze.reset()
        for k, (frame, fit) in enumerate(zip(take, _fit_take(basis, take, identity, settings), strict=True)):
            camera = head_camera(basis, fit.camera, settings)
            angles = gaze.estimate(frame, identity, fit.expression, camera)
            result[start + k] = FaceParameters(identity, fit.expression, camera, angles)
    return result


def _cut(stretch: tuple[int, int], cuts: Sequence[int]) -> list[tuple[int, int]]:
    """The parts of a half-open range between the cuts inside it."""
    first, last = stretch
    return list(itertools.pairwise([first, *(c for c in sorted(cuts) if first < c < last), last]))
