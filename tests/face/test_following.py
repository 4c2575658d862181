"""Who is followed when people come, go, and stand beside each other, and what is made of covered faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from face.conditioning import CpuConditioning
from face.fit_per_frame import OnlineFitter
from face.follow_person import LiveFit
from face.frame_chain import FrameChain
from face.landmarks import UNIT_NAMES
from face.retarget import Retargeter, RetargetSettings
from face.tracking import FaceTracker
from face.video import VideoReader
from live.sources.video_file import DEMO_CLIP
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.slow

RATE = 25
JAW = UNIT_NAMES.index("jawOpen")
MOUTH_UNITS = [k for k, name in enumerate(UNIT_NAMES) if name.startswith(("jaw", "mouth"))]


@pytest.fixture(scope="module")
def noor() -> list[np.ndarray]:
    """Frames of the demo clip, ``[288, 288, 3]`` uint8."""
    with VideoReader(DEMO_CLIP) as video:
        return [image for image, _ in video]


@pytest.fixture(scope="module")
def other(model) -> list[np.ndarray]:
    """Frames of a synthetic person, of the same size."""
    person = Person(model, 7)
    return [person.render(parameters, 288, 288) for parameters in act(person, natural_motion(60, 7), 288)]


class Loop:
    """The frame chain, fed with numbered frames."""

    def __init__(self, model, target) -> None:
        self.chain = FrameChain(model, target, CpuConditioning(model, target.size), Retargeter(target, model))
        self.newcomers = []

    def run(self, frames, begin=0):
        """What comes out for frames numbered from ``begin``."""
        return [self.step(frame, begin + k) for k, frame in enumerate(frames)]

    def step(self, frame, number):
        conditioned = self.chain.step(frame, number / RATE, RetargetSettings())
        if self.chain._fit.newcomer:
            self.newcomers.append(number)
        return conditioned


def smaller(frame):
    """The same person farther away, elsewhere."""
    return cv2.copyMakeBorder(cv2.resize(frame, (180, 180)), 10, 98, 100, 8, cv2.BORDER_CONSTANT, value=(128,) * 3)


def test_another_person_after_a_pause_is_fitted_as_if_alone(model, target_info, noor, other):
    """Two seconds in, the conditioning is within 4 levels of what the newcomer alone gives."""
    second = [smaller(frame) for frame in other[:60]]
    loop, alone = Loop(model, target_info), Loop(model, target_info)
    loop.run(noor[:90])
    loop.run([np.zeros_like(noor[0])] * 30, 90)
    after, expected = loop.run(second, 120), alone.run(second)
    assert loop.newcomers == [0, 120]
    for output, reference in list(zip(after, expected, strict=True))[50:]:
        assert np.abs(output.conditioning.astype(int) - reference.conditioning).mean() < 4
        assert np.abs(output.parameters.camera.translation - reference.parameters.camera.translation).max() < 0.1
    steps = np.diff([output.parameters.camera.translation for output in after], axis=0)
    assert np.abs(steps).max() < 0.1 * target_info.scale_mean  # eased over, without a jump


def test_another_person_without_a_pause_is_noticed_within_a_second(model, target_info, noor, other):
    loop = Loop(model, target_info)
    loop.run(noor[:90])
    loop.run(other[:40], 90)
    assert len(loop.newcomers) == 2 and loop.newcomers[1] - 90 <= RATE + 2


def test_nobody_else_is_taken_for_the_person(model, target_info, noor, other):
    """Another face beside, larger, is left alone while the person is there and when they come back."""
    room = lambda person, poster: np.hstack([smaller(person), poster])  # noqa: E731
    nobody = np.zeros_like(noor[0])
    frames = [room(frame, nobody) for frame in noor[:80]]
    frames += [room(frame, other[0]) for frame in noor[80:90]]
    frames += [room(nobody, other[0])] * 10
    frames += [room(frame, other[0]) for frame in noor[100:115]]
    loop = Loop(model, target_info)
    tracked = [frame.landmarks for frame in loop.run(frames)]
    assert all(landmarks is not None for landmarks in [*tracked[:90], *tracked[101:]])
    assert all(landmarks is None or landmarks.points[:, 0].mean() < 288 for landmarks in tracked)
    assert loop.newcomers == [0]


def test_who_stays_is_followed_once_the_person_has_left(model, target_info, noor, other):
    loop = Loop(model, target_info)
    loop.run(noor[:80])
    nobody = np.zeros_like(noor[0])
    tracked = [frame.landmarks for frame in loop.run([np.hstack([nobody, other[0]])] * 30, 80)]
    assert not any(tracked[:23]) and all(tracked[26:]) and len(loop.newcomers) == 2


def test_a_covered_mouth_comes_to_rest(model, noor):
    """The landmarks behind a microphone are guesses, from which a plain fit makes grimaces."""
    fit, plain, tracker = LiveFit(model), OnlineFitter(model), FaceTracker()
    eased, grimaces = [], []
    for k, frame in enumerate(noor[:112]):
        covered = frame.copy()
        if k >= 60:
            covered[190:219, 115:173] = 0
        landmarks = tracker.track(covered, 40 * k)
        eased.append(fit.step(landmarks, k / RATE).expression[MOUTH_UNITS])
        grimaces.append(plain.fit(landmarks).expression[MOUTH_UNITS])
    assert np.max(grimaces[70:]) > 0.5
    assert np.max(eased[70:]) < 0.3  # what the cheeks still tell
    assert np.array(eased)[60:, MOUTH_UNITS.index(JAW)].max() <= 0.1


def test_dark_glasses_put_on_leave_the_eyes_at_rest(model, noor):
    fit, tracker, guessed = LiveFit(model), FaceTracker(), 0.0
    blinks = [k for k, name in enumerate(UNIT_NAMES) if name.startswith("eyeBlink")]
    for k, frame in enumerate(noor[:70]):
        landmarks = tracker.track(frame, 40 * k)
        if k >= 50:
            around = landmarks.points[[70, 300, 33, 263, 145, 374]]
            (left, top), (right, bottom) = (around.min(0) - 8).astype(int), (around.max(0) + 8).astype(int)
            worn = frame.copy()
            worn[top:bottom, left:right] = 15
            landmarks = tracker.track(worn, 40 * k + 20)
            guessed = max(guessed, landmarks.scores[blinks].max())
        expression = fit.step(landmarks, k / RATE).expression
    assert guessed > 0.15 and expression[blinks].max() < 0.05


def test_nothing_is_taken_from_a_face_that_is_not_covered(model, noor):
    fit, tracker = LiveFit(model), FaceTracker()
    for k, frame in enumerate(noor[:100]):
        landmarks = tracker.track(frame, 40 * k)
        assert fit._occlusion.clear(landmarks, k / RATE) is landmarks
