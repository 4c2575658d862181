"""From landmarks to the face that is drawn: what the live loop does, and all that stands in for it.

Live, in reconstruction and in evaluation the same steps follow each other: what is covered is taken out, the per-frame
fit, the camera's filter, the target's map. So training sees the conditionings of the live loop.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from face.camera_map import CameraMap, middle_of_face
from face.fit_per_frame import OnlineFitter
from face.fitting import FitSettings
from face.landmarks import Landmarks
from face.morphable import MorphableModel
from face.occlusion import OcclusionFilter
from face.parameters import FaceParameters
from face.recognize_person import ABSENT_S, KnownPerson
from face.skin_colors import SkinColors
from face.smoothing import CameraFilter


class LiveFit:
    """Fits the face of one person after the other. Time is an argument: it has no clock.

    Args:
        model: the morphable model.
        identity: ``[80]`` if the person is known; otherwise it is found over the first seconds, and anew when somebody
            comes after a second without the person.
        settings: weights of the fit.
        smooths_camera: whether the camera is smoothed, as for all that is drawn; a measurement of the fit takes it raw.

    Attributes:
        person: who is followed, for the tracker.
        newcomer: whether the last step began with a person anew.
    """

    def __init__(
        self, model: MorphableModel, identity: np.ndarray | None = None, settings: FitSettings | None = None,
        smooths_camera: bool = True,
    ) -> None:  # fmt: skip
        self._known, self._smooths_camera = identity is not None, smooths_camera
        self._fitter = OnlineFitter(model, settings, identity)
        self._filter = CameraFilter(middle_of_face(model))
        colors = SkinColors()
        self._occlusion = OcclusionFilter(colors)
        self.person = KnownPerson(self._fitter, colors)
        self.recalibrate()

    @property
    def calibration(self) -> float:
        """How far identity is found, 0…1."""
        return self._fitter.calibration

    def recalibrate(self) -> None:
        """Forget the person and find identity anew, unless it is known."""
        self._fitter.recalibrate()
        self._filter.reset()
        self._occlusion.reset()
        self.person.reset()
        self._begins = True
        self.newcomer = False

    def step(
        self, landmarks: Landmarks | None, time_s: float, camera_map: CameraMap | None = None
    ) -> FaceParameters | None:
        """Parameters of the face in a frame; ``None`` where there is none, and the next starts afresh."""
        self.newcomer = False
        if landmarks is None:
            self._fitter.lost()
            self._filter.reset()
            return None
        if not self._known and self.person.absent_s(time_s) >= ABSENT_S:
            self.recalibrate()
        self.newcomer, self._begins = self._begins, False
        clear = self._occlusion.clear(landmarks, time_s)
        face = self._fitter.fit(clear)
        self.person.note(time_s)
        if self._smooths_camera:
            face = replace(face, camera=self._filter.smooth(face.camera, time_s))
        return camera_map.correct(face) if camera_map else face
