"""From landmarks to the face that is drawn: what the live loop does, and all that stands in for it.

Live, in reconstruction and in evaluation the same steps follow each other: the per-frame fit, the camera's filter, the
target's map. So a network is told offline just what it will be told live.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from face.camera_map import CameraMap, middle_of_face
from face.fit_online import OnlineFitter
from face.landmarks import Landmarks
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.smoothing import CameraFilter


class LiveFit:
    """Follows one face. Time is an argument: it has no clock.

    Args:
        model: the morphable model.
        identity: ``[80]`` if the person is known; otherwise it is found over the first seconds.
    """

    def __init__(self, model: MorphableModel, identity: np.ndarray | None = None) -> None:
        self._fitter = OnlineFitter(model, identity=identity)
        self._filter = CameraFilter(middle_of_face(model))

    @property
    def calibration(self) -> float:
        """How far identity is found, 0…1."""
        return self._fitter.calibration

    def recalibrate(self) -> None:
        """Forget the person and find identity anew, unless it is known."""
        self._fitter.recalibrate()
        self._filter.reset()

    def step(
        self, landmarks: Landmarks | None, time_s: float, camera_map: CameraMap | None = None
    ) -> FaceParameters | None:
        """Parameters of the face in a frame; ``None`` where there is none, and the next starts afresh."""
        if landmarks is None:
            self._fitter.lost()
            self._filter.reset()
            return None
        found = self._fitter.fit(landmarks)
        steady = replace(found, camera=self._filter.smooth(found.camera, time_s))
        return camera_map.correct(steady) if camera_map else steady
