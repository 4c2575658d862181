"""From the source's parameters to the target's: the paper's hybrid parameters, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from face.camera import ScaledOrthographicCamera
from face.lips import Lips
from face.morphable import MorphableModel
from face.motion_range import MotionRange
from face.parameters import MOUTH, FaceParameters
from face.resting_face import RestingFace
from face.target import TargetInfo

_USUAL_FRAMES = 500  # over which the source's mean scale and place are taken, as in the authors' demo
_NEUTRAL_FRAMES = 75  # over which the mean of the source's gaze is taken
_CLAMP_DEVIATIONS = 2.0
_HOLD_S, _EASE_S = 0.6, 1.2  # a lost face: hold the last pose, then ease to rest
_RETURN_S = 0.25  # and back to a source once there is a face again
_MOTION_RATE = 25.0  # frames per second of TargetInfo.head_motion
_POSE_MARGIN_DEG = 4.0  # beyond what training saw


class Mode(StrEnum):
    """Whose head motion is shown."""

    HEAD = "head"  # full-head reenactment: the source's
    FACE = "face"  # face reenactment: the target's own


@dataclass(frozen=True, kw_only=True, slots=True)
class RetargetSettings:
    """What the user may change while live.

    Attributes:
        mode: full head or face only.
        relative: add the change from the source's neutral to the target's, instead of taking the source's
            expression and gaze as they are.
        strength: factor on the expression, 0…2.
        head: factor on the source's head motion, 0…2.
        eyes: factor on the gaze, 0…2.
    """

    mode: Mode = Mode.HEAD
    relative: bool = False
    strength: float = 1.0
    head: float = 1.0
    eyes: float = 1.0


class Retargeter:
    """Puts the source's expression, pose and gaze on the target. Time is an argument: it has no clock.

    Args:
        target: whose identity, scale and statistics to use.
        model: the morphable model of both.
    """

    def __init__(self, target: TargetInfo, model: MorphableModel) -> None:
        self._source_lips, self._target_lips = Lips(model), Lips(model)  # each keeps what depends on one person
        self._source_neutral = RestingFace()
        self._low, self._high = model.expression_box.astype(np.float64).T
        self.recalibrate()
        self.change_target(target)

    def change_target(self, target: TargetInfo) -> None:
        """Go on with another target; what is known of the source stays known."""
        self._target = target
        self._resting = target.resting()
        self._place, self._reach = (
            np.array(target.translation_mean),
            _CLAMP_DEVIATIONS * np.array(target.translation_std),
        )
        self._lowest_deg = np.array(target.euler_low_deg) - _POSE_MARGIN_DEG
        self._highest_deg = np.array(target.euler_high_deg) + _POSE_MARGIN_DEG
        self._range = MotionRange(np.array(target.motion_center), np.array(target.motion_whitening))
        motion = np.array(target.head_motion)
        self._motion = np.concatenate([motion, motion[::-1]])  # there and back: no jump where it repeats
        self._output: FaceParameters | None = None
        self._lost_since: float | None = None
        self._regained_since: float | None = None

    def recalibrate(self) -> None:
        """Forget the source's neutral, usual scale and place; what is drawn eases over to what comes."""
        self._cameras = np.empty((_USUAL_FRAMES, 3))  # scale and place of the last faces, a ring
        self._source_neutral.reset()
        self._neutral_gaze = np.zeros(2)
        self._faces = 0
        self._begins = True

    def step(self, source: FaceParameters | None, settings: RetargetSettings, time_s: float) -> FaceParameters:
        """Parameters to draw at a time. ``source`` is ``None`` while no face is seen: hold, then ease to rest."""
        if source is None:
            return self._without_face(settings, time_s)
        hybrid = self._hybrid(source, settings, time_s)
        if self._lost_since is not None or self._begins:
            self._lost_since, self._regained_since, self._begins = None, time_s, False
        if self._regained_since is not None and self._output is not None:
            part = (time_s - self._regained_since) / _RETURN_S
            if part < 1:
                self._output = blend(self._output, hybrid, part)
                return self._output
        self._regained_since = None
        self._output = hybrid
        return hybrid

    def _without_face(self, settings: RetargetSettings, time_s: float) -> FaceParameters:
        if self._output is None:
            self._output = self._resting
        if self._lost_since is None:
            self._lost_since = time_s
            self._held = self._output
        part = np.clip((time_s - self._lost_since - _HOLD_S) / _EASE_S, 0, 1)
        smooth = float(part * part * (3 - 2 * part))
        self._output = blend(self._held, self._resting, smooth)
        if settings.mode is Mode.FACE:
            self._output = replace(self._output, camera=self._own_camera(time_s))
        return self._output

    def _hybrid(self, source: FaceParameters, settings: RetargetSettings, time_s: float) -> FaceParameters:
        expression, gaze = self._carried(source), source.gaze
        self._learn(source, expression)
        if settings.relative:
            expression = np.array(self._target.neutral_expression) + settings.strength * (
                expression - self._source_neutral.expression
            )
            gaze = np.array(self._target.neutral_gaze) + settings.eyes * (gaze - self._neutral_gaze)
        else:
            expression, gaze = settings.strength * expression, settings.eyes * gaze
        camera = self._own_camera(time_s) if settings.mode is Mode.FACE else self._adapted_camera(source, settings.head)
        camera, expression = self._range.keep(camera, expression)
        expression = self._target_lips.close(expression, self._source_lips.touching(source.identity, source.expression))
        return FaceParameters(self._resting.identity, np.clip(expression, self._low, self._high), camera, gaze)

    def _carried(self, source: FaceParameters) -> np.ndarray:
        """The source's expression on the target: what its mouth does, in proportion to the target's mouth."""
        expression = source.expression.copy()
        own = self._target_lips.mouth_width(self._resting.identity)
        expression[MOUTH] *= own / self._source_lips.mouth_width(source.identity)
        return expression

    def _learn(self, source: FaceParameters, expression: np.ndarray) -> None:
        scale, translation = source.camera.scale, source.camera.translation
        self._cameras[self._faces % _USUAL_FRAMES] = scale, *(translation / scale)
        self._source_neutral.add(expression)
        self._faces += 1
        if self._faces <= _NEUTRAL_FRAMES:
            share = 1 / self._faces
            self._neutral_gaze = self._neutral_gaze + share * (source.gaze - self._neutral_gaze)

    def _adapted_camera(self, source: FaceParameters, strength: float) -> ScaledOrthographicCamera:
        """The source's pose at the target's scale and place, kept to where the target was seen (design §3)."""
        target = self._target
        usual = self._cameras[: self._faces].mean(0)
        relative_scale = (source.camera.scale / usual[0]) ** strength
        scale = target.scale_mean * float(np.clip(relative_scale, 0.8, 1.25))
        shift = strength * (source.camera.translation / source.camera.scale - usual[1:])
        place = self._place + np.clip(shift, -self._reach, self._reach)
        euler = np.clip(strength * source.camera.euler_deg, self._lowest_deg, self._highest_deg)
        return ScaledOrthographicCamera.from_euler(euler, scale, place * target.scale_mean)

    def _own_camera(self, time_s: float) -> ScaledOrthographicCamera:
        """The target's own head motion at a time, there and back."""
        position = (time_s * _MOTION_RATE) % len(self._motion)
        first = int(position)
        part = position - first
        a, b = self._motion[first], self._motion[(first + 1) % len(self._motion)]
        pose = a + part * (b - a)
        return ScaledOrthographicCamera.from_euler(pose[:3], pose[3], pose[4:6])


def blend(a: FaceParameters, b: FaceParameters, part: float) -> FaceParameters:
    """Parameters between two of one person, ``part`` 0…1 of the way, rotation along the shortest turn."""
    if part <= 0:
        return a
    if part >= 1:
        return b
    turn = Slerp([0, 1], Rotation.from_matrix(np.stack([a.camera.rotation, b.camera.rotation])))(part).as_matrix()
    mix = lambda x, y: x + part * (y - x)  # noqa: E731
    camera = ScaledOrthographicCamera(
        turn, mix(a.camera.scale, b.camera.scale), mix(a.camera.translation, b.camera.translation)
    )
    return FaceParameters(b.identity, mix(a.expression, b.expression), camera, mix(a.gaze, b.gaze))
