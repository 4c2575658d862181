from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from face.detector import FaceDetector
from face.errors import UserError
from face.region import Region, around
from face.smoothing import OneEuroFilter
from face.tracking import FaceTracker
from face.video import VideoReader
from live.sources.video_file import DEMO_CLIP
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def portrait(model):
    person = Person(model, 4)
    parameters = act(person, natural_motion(10, 4), 256)[5]
    return person.render(parameters, 256, 256), person.landmarks(parameters)


def test_landmarks_lie_where_they_should(portrait):
    image, truth = portrait
    tracker = FaceTracker(video=False)
    tracked = tracker.track(image)
    assert tracked is not None and tracked.points.shape == (478, 2) and tracked.scores.shape == (52,)
    distance = np.linalg.norm(tracked.points - truth, axis=1)[:468] / tracked.interocular_px
    assert np.median(distance) < 0.05


def test_no_face():
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    tracker = FaceTracker()
    assert tracker.track(noise) is None
    assert tracker.track(np.zeros((64, 64, 3), np.uint8)) is None


def test_strided_and_odd_images_are_read_right(portrait):
    image, _ = portrait
    wide = np.zeros((257, 331, 3), np.uint8)
    wide[:256, 40:296] = image
    tracker = FaceTracker(video=False)
    plain, strided = tracker.track(image), tracker.track(wide[:, ::1][:, 3:])
    assert strided is not None and plain is not None
    assert np.abs(strided.points - [37, 0] - plain.points).max() < 3


@pytest.mark.parametrize("video", [False, True])
@pytest.mark.parametrize("small_first", [False, True])
def test_largest_face_is_taken(portrait, video, small_first):
    image, _ = portrait
    both = np.full((256, 400, 3), 90, np.uint8)
    large, small = (slice(144, 400), slice(0, 144)) if small_first else (slice(0, 256), slice(256, 400))
    both[:, large] = image
    both[60:204, small] = cv2.resize(image, (144, 144))
    tracker = FaceTracker(video)
    tracked = [tracker.track(both, k * 40) for k in range(4)]
    assert all(large.start < landmarks.points[:, 0].mean() < large.stop for landmarks in tracked)


def test_time_that_stands_still_is_no_error(portrait):
    image, _ = portrait
    tracker = FaceTracker()
    assert all(tracker.track(image, 40) is not None for _ in range(3))


@pytest.fixture(scope="module")
def reference():
    """What MediaPipe's own landmarker sees in the demo clip, and the clip's frames."""
    recorded = np.load(Path(__file__).with_name("mediapipe_reference.npz"))
    with VideoReader(DEMO_CLIP) as video:
        return recorded, [image for (image, _), _ in zip(video, recorded["points"], strict=False)]


def test_a_video_is_seen_as_mediapipe_sees_it(reference, monkeypatch):
    """Within a fraction of a pixel, as its crops are rounded otherwise, and with its filter: ours lags less."""
    monkeypatch.setattr("face.smoothing._BETA", 80.0)
    recorded, frames = reference
    tracker = FaceTracker()
    tracked = [tracker.track(frame, 1 + 40 * k) for k, frame in enumerate(frames)]
    assert np.abs(np.stack([landmarks.points for landmarks in tracked]) - recorded["points"]).max() < 0.2
    assert np.abs(np.stack([landmarks.scores[:51] for landmarks in tracked]) - recorded["scores"]).max() < 0.02
    assert np.ptp(recorded["points"], axis=0).max() > 5  # somebody moves


def test_images_are_seen_as_mediapipe_sees_them(reference):
    recorded, frames = reference
    tracker = FaceTracker(video=False)
    tracked = [tracker.track(frame) for frame in frames[::10]]
    assert np.abs(np.stack([landmarks.points for landmarks in tracked]) - recorded["found_points"]).max() < 0.2
    assert np.abs(np.stack([landmarks.scores[:51] for landmarks in tracked]) - recorded["found_scores"]).max() < 0.02


def test_a_lost_face_is_found_again(portrait):
    image, _ = portrait
    tracker = FaceTracker()
    tracked = [tracker.track(frame, 40 * k) for k, frame in enumerate([image, np.zeros_like(image), image[:, ::-1]])]
    assert [landmarks is not None for landmarks in tracked] == [True, False, True]
    alone = FaceTracker(video=False).track(image[:, ::-1])
    assert np.abs(tracked[2].points - alone.points).max() < 1e-6  # nothing of before is left in it


@pytest.mark.parametrize("angle", [-100, -40, 0, 30])
def test_a_turned_face_is_found(portrait, angle):
    """Whoever lies on a sofa is seen too: crops are turned with the eyes."""
    image, _ = portrait
    matrix = cv2.getRotationMatrix2D((128, 128), angle, 0.8)
    upright = FaceTracker(video=False).track(image)
    turned = FaceTracker(video=False).track(cv2.warpAffine(image, matrix, (256, 256)))
    mapped = upright.points @ matrix[:, :2].T + matrix[:, 2]
    assert np.median(np.linalg.norm(turned.points - mapped, axis=1)) < 0.05 * upright.interocular_px


def test_a_missing_model_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("face.tflite.MODEL_PATH", tmp_path / "face_landmarker.task")
    with pytest.raises(UserError, match="is missing: reinstall"):
        FaceTracker()


def test_crop_shows_what_the_region_encloses():
    image = np.zeros((100, 140, 3), np.uint8)
    image[30:50, 60:80] = (200, 100, 50)
    crop = Region(np.array([70.0, 40.0]), 20.0, np.pi / 2).crop(image, 64)
    assert (crop[4:-4, 4:-4] == (200, 100, 50)).all()
    right = Region(np.array([70.0, 40.0]), 40.0, np.pi / 2).to_image(np.array([1.0, 0.5]))
    assert np.allclose(right, [70, 60])  # a quarter turned clockwise, its right is below
    beyond = Region(np.array([0.0, 0.0]), 20.0).crop(np.full((50, 50, 3), 7, np.uint8), 16, cv2.BORDER_CONSTANT)
    assert beyond[0, 0, 0] == 0 and beyond[-2, -2, 0] == 7


def test_region_turns_with_the_eyes():
    low, high = np.array([10.0, 20.0]), np.array([50.0, 40.0])
    region = around(low, high, np.array([[20.0, 25.0], [30.0, 35.0]]))
    assert np.allclose(region.center, [30, 30]) and region.side == 60 and np.isclose(region.angle, np.pi / 4)


@pytest.fixture(scope="module")
def demo_frames():
    """Ten frames of the demo clip, ``[288, 288, 3]`` uint8."""
    with VideoReader(DEMO_CLIP) as video:
        return [image for image, _ in itertools.islice(video, 10)]


def test_detector_finds_each_face_once(portrait):
    image, _ = portrait
    both = np.hstack([image, np.zeros((256, 128, 3), np.uint8), image])
    regions = FaceDetector().find(both, 4)
    assert len(regions) == 2 and abs(regions[0].center[0] - regions[1].center[0]) > 300
    assert len(FaceDetector().find(both, 1)) == 1


@pytest.mark.parametrize("width, height", [(1280, 720), (1920, 1080), (720, 1280)])
def test_a_face_of_eight_percent_is_found_in_the_first_frame_and_held(demo_frames, width, height):
    alone = FaceTracker()
    expected = [alone.track(frame, 40 * k) for k, frame in enumerate(demo_frames)]
    scale = 0.08 * min(width, height) / np.ptp(expected[0].points[:468, 1])
    left, top = int(0.71 * width), int(0.55 * height)
    tracker = FaceTracker()
    for k, (frame, reference) in enumerate(zip(demo_frames, expected, strict=True)):
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        room = np.full((height, width, 3), 110, np.uint8)
        room[top : top + len(small), left : left + small.shape[1]] = small
        tracked = tracker.track(room, 40 * k)
        error = np.linalg.norm((tracked.points - [left, top]) / scale - reference.points, axis=1).mean()
        assert error < 0.05 * reference.interocular_px


def test_tiles_are_searched_only_where_no_face_is_followed(demo_frames, monkeypatch):
    tracker = FaceTracker()
    monkeypatch.setattr(FaceDetector, "find_small", lambda *_: pytest.fail("searched tile by tile"))
    assert all(tracker.track(frame, 40 * k) for k, frame in enumerate(demo_frames))


def test_filter_calms_what_rests_and_follows_what_moves():
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 200, (50, 2))
    resting = base + rng.normal(0, 0.2, (100, 50, 2))
    euro = OneEuroFilter()
    calm = np.stack([euro.smooth(points, k / 25) for k, points in enumerate(resting)])
    assert np.diff(calm[20:], axis=0).std() < 0.5 * np.diff(resting[20:], axis=0).std()
    moving = base + np.arange(50)[:, None, None] * [8.0, 0]  # 200 px/s, one size a second
    euro = OneEuroFilter()
    followed = np.stack([euro.smooth(points, k / 25) for k, points in enumerate(moving)])
    assert np.abs(followed[-1] - moving[-1]).max() < 1
