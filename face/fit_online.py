"""The fit of the live loop: identity over the first seconds, then pose and expression frame by frame."""

from __future__ import annotations

import numpy as np

from face.eyes import GazeEstimator
from face.fitting import FitSettings, FrameFit, LandmarkBasis, expression_prior, fit_frame, head_camera, linearise
from face.landmarks import SURFACE_COUNT, Landmarks
from face.morphable import MorphableModel
from face.parameters import EXPRESSION_SIZE, IDENTITY_SIZE, FaceParameters

CALIBRATION_FRAMES = 75  # three seconds of a face at 25 fps
_EVERY = 3  # neighbouring frames say nearly the same about identity


class OnlineFitter:
    """Fits one frame after the other.

    While calibrating, every few frames add their (camera- and expression-eliminated) normal equations to a
    running estimate of identity; after ``CALIBRATION_FRAMES`` faces it stays fixed, so that the shape cannot
    drift under the expression. ``recalibrate`` starts over, for another person before the camera.

    Args:
        model: the morphable model.
        settings: weights of Eq. 2.
        identity: ``[IDENTITY_SIZE]`` if the person is known; then there is nothing to calibrate.
    """

    def __init__(
        self, model: MorphableModel, settings: FitSettings | None = None, identity: np.ndarray | None = None
    ) -> None:
        self._basis = LandmarkBasis(model)
        self._gaze = GazeEstimator(model)
        self._settings = settings or FitSettings()
        self._known = identity
        self.recalibrate()

    def recalibrate(self) -> None:
        """Forget the person and find identity anew, unless it is known."""
        self._identity = np.zeros(IDENTITY_SIZE) if self._known is None else self._known
        self._hessian = np.eye(IDENTITY_SIZE)  # the prior: coefficients are standard normal
        self._gradient = np.zeros(IDENTITY_SIZE)
        self._faces = 0 if self._known is None else CALIBRATION_FRAMES
        self._previous: FrameFit | None = None
        self._gaze.reset()

    @property
    def calibration(self) -> float:
        """How far identity is found, 0…1."""
        return min(1.0, self._faces / CALIBRATION_FRAMES)

    def lost(self) -> None:
        """There is no face in this frame: the next one starts without a predecessor."""
        self._previous = None
        self._gaze.reset()

    def fit(self, landmarks: Landmarks) -> FaceParameters:
        """Parameters of the face in this frame."""
        fit = fit_frame(self._basis, landmarks, self._identity, self._previous, self._settings)
        if self._faces < CALIBRATION_FRAMES:
            if self._faces % _EVERY == 0:
                self._learn_identity(landmarks, fit)
                fit = fit_frame(self._basis, landmarks, self._identity, fit, self._settings)
            self._faces += 1
        self._previous = fit
        camera = head_camera(self._basis, fit.camera, self._settings)
        gaze = self._gaze.estimate(landmarks, self._identity, fit.expression, camera)
        return FaceParameters(self._identity, fit.expression, camera, gaze)

    def _learn_identity(self, landmarks: Landmarks, fit: FrameFit) -> None:
        hessian, gradient = identity_equations(self._basis, landmarks, fit, self._identity, self._settings)
        self._hessian += hessian
        self._gradient += gradient
        limit = self._settings.identity_limit
        self._identity = np.clip(np.linalg.solve(self._hessian, self._gradient), -limit, limit)


def identity_equations(
    basis: LandmarkBasis, landmarks: Landmarks, fit: FrameFit, identity: np.ndarray, settings: FitSettings
) -> tuple[np.ndarray, np.ndarray]:
    """What one frame says about identity, ``[80, 80]`` and ``[IDENTITY_SIZE]``, its camera and expression eliminated.

    Units that rest on their bounds are taken as known, the free ones as unknown with their prior, so that a
    smile is not taken for a wide mouth.
    """
    equations = linearise(basis, landmarks.points[:SURFACE_COUNT], fit.camera, identity, fit.expression, settings, True)
    prior_weight = settings.expression_spread**-2
    free = (fit.expression > basis.low) & (fit.expression < basis.high)
    fixed = np.where(~free)[0]
    free_index, own = np.where(free)[0], slice(EXPRESSION_SIZE, None)
    hessian, gradient = equations.hessian, equations.gradient
    known = fit.expression[fixed]
    among_free = hessian[np.ix_(free_index, free_index)] + np.diag(prior_weight[free_index])
    right_free = (
        gradient[free_index]
        + prior_weight[free_index] * expression_prior(landmarks.scores)[free_index]
        - hessian[np.ix_(free_index, fixed)] @ known
    )
    across = hessian[own, free_index]
    gain = np.linalg.solve(among_free, np.column_stack([across.T, right_free]))
    reduced = hessian[own, own] - across @ gain[:, :-1]
    right = gradient[own] - hessian[own, fixed] @ known - across @ gain[:, -1]
    # Landmark errors of one frame are far from independent: 468 points weigh like a few dozen.
    return reduced * _INDEPENDENCE, right * _INDEPENDENCE


_INDEPENDENCE = 0.03
