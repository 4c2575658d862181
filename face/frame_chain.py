"""The frame chain: track, fit, retarget, render. Live and offline take the same steps.

The caller owns threads, queues and clocks, and with them the policy for dropped frames. It hands the conditioning to a
generator, on a thread of its choice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from face.camera_map import CameraMap
from face.conditioning import ConditioningRenderer
from face.follow_person import LiveFit
from face.landmarks import Landmarks
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.retarget import RetargetSettings
from face.target import TargetInfo
from face.tracking import FaceTracker


class Retargeting(Protocol):
    """Parameters of the source to parameters of the target; ``face.retarget.Retargeter`` is the one for anybody."""

    def change_target(self, target: TargetInfo) -> None:
        """Go on with another target."""
        ...

    def recalibrate(self) -> None:
        """Forget what is known of the source."""
        ...

    def step(self, source: FaceParameters | None, settings: RetargetSettings, time_s: float) -> FaceParameters:
        """Parameters to render at a time; ``source`` is ``None`` while there is no face."""
        ...


@dataclass(frozen=True)
class ConditionedFrame:
    """A frame after the chain.

    Attributes:
        conditioning: ``[H, W, 6]`` uint8; on a GPU, what becomes such an array when numpy asks for it.
        parameters: what was rendered, in the target's px.
        source: the face that was fitted to the frame, ``None`` without one.
        landmarks: what the tracker found, ``None`` without a face.
        time_s: capture time.
    """

    conditioning: np.ndarray
    parameters: FaceParameters
    source: FaceParameters | None
    landmarks: Landmarks | None
    time_s: float


class FrameChain:
    """Follows one face and renders the target's conditionings.

    Args:
        model: the morphable model.
        target: whose conditionings to render.
        renderer: renders them.
        retargeting: from the source's parameters to the target's.
        identity: the source's ``[IDENTITY_SIZE]`` if it is known; otherwise it is fitted over the first seconds.
        stage: a context around the work of each stage, by its name (``track``, ``fit``, ``render``).

    Raises:
        UserError: the tracker's model file is missing.
    """

    def __init__(
        self, model: MorphableModel, target: TargetInfo, renderer: ConditioningRenderer, retargeting: Retargeting,
        identity: np.ndarray | None = None,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:  # fmt: skip
        self._model, self._retargeting, self._stage = model, retargeting, stage
        self._fit = LiveFit(model, identity)
        self._tracker = FaceTracker(person=self._fit.person)
        self.change_target(target, renderer)

    @property
    def calibration(self) -> float:
        """How far the source's identity is fitted, 0…1."""
        return self._fit.calibration

    def recalibrate(self) -> None:
        """Forget the person: identity (unless it is known) and neutral are fitted anew."""
        self._fit.recalibrate()
        self._tracker.reset()

    def change_target(self, target: TargetInfo, renderer: ConditioningRenderer) -> None:
        """Go on with another target; what is known of the source stays known."""
        self._renderer = renderer
        self._camera_map = CameraMap(self._model, np.array(target.camera_map))
        self._retargeting.change_target(target)

    def step(self, image: np.ndarray | None, time_s: float, settings: RetargetSettings) -> ConditionedFrame:
        """The conditioning of a frame ``[H, W, 3]`` uint8 RGB, captured at a time that never goes back.

        ``None`` is for a moment without a frame: the target eases to rest, as without a face.
        """
        landmarks = None
        if image is not None:
            with self._stage("track"):
                landmarks = self._tracker.track(image, round(time_s * 1000))
        if landmarks is None:
            source = self._fit.step(None, time_s)
        else:
            with self._stage("fit"):
                source = self._fit.step(landmarks, time_s, self._camera_map)
        if self._fit.newcomer:
            self._retargeting.recalibrate()
        parameters = self._retargeting.step(source, settings, time_s)
        with self._stage("render"):
            conditioning = self._renderer.render(parameters)
        return ConditionedFrame(conditioning, parameters, source, landmarks, time_s)
