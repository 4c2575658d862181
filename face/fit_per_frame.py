"""The fit of the live loop: identity over the first seconds, then pose and expression frame by frame."""

from __future__ import annotations

import numpy as np

from face.fit_joint_identity import solve_identity, without_expression
from face.fitting import FitSettings, FrameFit, LandmarkBasis, fit_frame, head_camera, landmark_distance_px, linearize
from face.gaze_estimation import GazeEstimator
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from face.parameters import IDENTITY_SIZE, FaceParameters

CALIBRATION_FRAMES = 75  # three seconds of a face at 25 fps
_EVERY = 3  # neighboring frames say nearly the same about identity


class OnlineFitter:
    """Fits one frame after the other.

    While calibrating, every few frames add their (camera- and expression-eliminated) normal equations to a
    running estimate of identity; after ``CALIBRATION_FRAMES`` faces it stays fixed, so that the shape cannot
    drift under the expression. ``recalibrate`` starts over, for another person before the camera.

    Args:
        model: the morphable model.
        settings: weights of Eq. 2.
        identity: ``[IDENTITY_SIZE]`` if the person is known; then there is nothing to calibrate.

    Attributes:
        misfit: mean distance of fitted and tracked landmarks inside the face's outline in the last frame, model units.
    """

    def __init__(
        self, model: MorphableModel, settings: FitSettings | None = None, identity: np.ndarray | None = None
    ) -> None:
        self._basis = LandmarkBasis(model)
        self._gaze = GazeEstimator(model)
        self._settings = settings or FitSettings()
        self._known = identity
        self._inner = inner_face()
        self.misfit = 0.0
        self.recalibrate()

    def recalibrate(self) -> None:
        """Forget the person and find identity anew, unless it is known."""
        self._identity = np.zeros(IDENTITY_SIZE) if self._known is None else self._known
        self._hessian = np.zeros((IDENTITY_SIZE, IDENTITY_SIZE))
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
        self.misfit = self._misfit_of(landmarks, fit)
        camera = head_camera(self._basis, fit.camera, self._settings)
        gaze = self._gaze.estimate(landmarks, self._identity, fit.expression, camera)
        return FaceParameters(self._identity, fit.expression, camera, gaze)

    def misfit_of(self, landmarks: Landmarks) -> float:
        """How badly the person known so far explains the landmarks of some face: as ``misfit``."""
        return self._misfit_of(landmarks, fit_frame(self._basis, landmarks, self._identity, None, self._settings))

    def _misfit_of(self, landmarks: Landmarks, fit: FrameFit) -> float:
        distance_px = landmark_distance_px(
            self._basis, landmarks, fit.camera, self._identity, fit.expression, self._inner
        )
        return distance_px / fit.camera.scale

    def _learn_identity(self, landmarks: Landmarks, fit: FrameFit) -> None:
        equations = linearize(self._basis, landmarks, fit.camera, self._identity, fit.expression, self._settings, True)
        hessian, gradient = without_expression(self._basis, equations, fit.expression)
        self._hessian += hessian
        self._gradient += gradient
        learned = 1 + self._faces // _EVERY
        self._identity = solve_identity(self._hessian, self._gradient, learned, self._identity, self._settings)
