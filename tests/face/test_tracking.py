from __future__ import annotations

import numpy as np
import pytest

from face.tracking import FaceTracker
from offline.motion import natural_motion
from offline.people import Person, act

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def portrait(model):
    person = Person(model, 4)
    parameters = act(person, natural_motion(10, 4), 256)[5]
    return person.render(parameters, 256, 256), person.landmarks(parameters)


def test_landmarks_lie_where_they_should(portrait):
    image, truth = portrait
    with FaceTracker(video=False) as tracker:
        found = tracker.track(image)
    assert found is not None and found.points.shape == (478, 2) and found.scores.shape == (52,)
    distance = np.linalg.norm(found.points - truth, axis=1)[:468] / found.interocular_px
    assert np.median(distance) < 0.05


def test_no_face():
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    with FaceTracker() as tracker:
        assert tracker.track(noise) is None
        assert tracker.track(np.zeros((64, 64, 3), np.uint8)) is None


def test_strided_and_odd_pictures_are_read_right(portrait):
    image, _ = portrait
    wide = np.zeros((257, 331, 3), np.uint8)
    wide[:256, 40:296] = image
    with FaceTracker(video=False) as tracker:
        plain, strided = tracker.track(image), tracker.track(wide[:, ::1][:, 3:])
    assert strided is not None and plain is not None
    assert np.abs(strided.points - [37, 0] - plain.points).max() < 3


@pytest.mark.parametrize("video", [False, True])
@pytest.mark.parametrize("small_first", [False, True])
def test_largest_face_is_taken(portrait, video, small_first):
    import cv2

    image, _ = portrait
    both = np.full((256, 400, 3), 90, np.uint8)
    large, small = (slice(144, 400), slice(0, 144)) if small_first else (slice(0, 256), slice(256, 400))
    both[:, large] = image
    both[60:204, small] = cv2.resize(image, (144, 144))
    with FaceTracker(video) as tracker:
        found = [tracker.track(both, k * 40) for k in range(4)]
    assert all(large.start < one.points[:, 0].mean() < large.stop for one in found)


def test_time_that_stands_still_is_no_error(portrait):
    image, _ = portrait
    with FaceTracker() as tracker:
        assert all(tracker.track(image, 40) is not None for _ in range(3))
