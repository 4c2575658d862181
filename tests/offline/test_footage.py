from __future__ import annotations

import av
import numpy as np
import pytest

from face.errors import UserError
from face.video import VideoWriter
from offline.reconstruct.checked_tracking import RATE, find_cuts, resampled, track_video
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast
SIZE = 192


def portraits(model, seed, frames=8):
    person = Person(model, seed)
    return [person.render(p, SIZE, SIZE) for p in act(person, natural_motion(frames, seed), SIZE)]


@pytest.fixture(scope="module")
def someone(model):
    return portraits(model, 4)


@pytest.fixture(scope="module")
def another(model):
    return portraits(model, 7)


def film(path, images):
    with VideoWriter(path, 25) as writer:
        for image in images:
            writer.write(image)
    return path


def test_one_person_in_one_take(someone, tmp_path):
    track = track_video(film(tmp_path / "a.mp4", someone), RATE)
    assert len(track.landmarks) == 8 and all(one is not None for one in track.landmarks)
    assert track.breaks == [] and track.rate == 25


def numbered(times):
    """Frames that tell their number, at given times."""
    return [(np.full((2, 2, 3), k, np.uint8), float(time_s)) for k, time_s in enumerate(times)]


def shown(times, rate=25.0):
    """Numbers of the frames that a video at given times shows on an even grid, and the grid's times."""
    moments = list(resampled(numbered(times), rate))
    return [int(m.image[0, 0, 0]) for m in moments], [m.time_s for m in moments]


@pytest.mark.parametrize("filmed", [15, 24, 25, 29.97, 30, 50, 60, 240])
def test_footage_of_any_rate_plays_as_fast_as_it_was_filmed(filmed):
    times = np.arange(200) / filmed
    numbers, at = shown(times)
    assert np.allclose(np.diff(at), 1 / 25) and abs(len(at) / 25 - 200 / filmed) < 0.05
    between = np.array(at) <= times[-1]
    assert np.abs(times[numbers] - at)[between].max() <= 0.5 / filmed + 1e-9


def test_a_varying_rate_becomes_even():
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 200))
    numbers, at = shown(times)
    assert np.allclose(np.diff(at), 1 / 25)
    nearest = np.abs(times[:, None] - at).min(0)
    assert np.allclose(np.abs(times[numbers] - at), nearest)


def test_where_the_recording_pauses_nothing_is_filled_in():
    steps = np.random.default_rng(0).uniform(0.02, 0.06, 100)
    steps[[30, 70]] = 0.5, 2.0
    times = np.cumsum(steps)
    moments = list(resampled(numbered(times), 25))
    assert [int(m.image[0, 0, 0]) for m in moments if m.after_pause] == [30, 70]
    assert [m.time_s for m in moments if m.after_pause] == pytest.approx(times[[30, 70]])
    assert abs(len(moments) / 25 - (times[-1] - times[0] - 2.5)) < 0.2
    assert [m.after_pause for m in resampled(numbered([0.0]), 25)] == [False]


def test_a_fast_camera_is_tracked_at_the_rate_that_is_played(someone, tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 240) as writer:
        for k in range(80):
            writer.write(someone[k // 10])
    track = track_video(tmp_path / "a.mp4", RATE)
    assert len(track.landmarks) == 9 and track.rate == RATE and track.breaks == []


def test_too_few_frames_a_second_say_so(someone, tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 1) as writer:
        for image in someone[:3]:
            writer.write(image)
    with pytest.raises(UserError, match="has 1 frames a second, too few to be shown at 25"):
        track_video(tmp_path / "a.mp4", RATE)


def test_scenes_are_named(someone, another, tmp_path):
    bright = [np.clip(p.astype(int) + 90, 0, 255).astype(np.uint8) for p in another]
    with pytest.raises(UserError, match=r"cut into scenes at 0\.3 s"):
        track_video(film(tmp_path / "a.mp4", [*someone, *bright]), RATE)


def test_fast_motion_is_no_cut():
    changes = np.concatenate([[0.0], np.random.default_rng(0).uniform(2, 14, 200)])
    assert len(find_cuts(changes)) == 0
    changes[[50, 120]] = 70
    assert find_cuts(changes).tolist() == [50, 120]


def test_several_people(someone, another, tmp_path):
    both = [np.hstack([a, b]) for a, b in zip(someone, another, strict=True)]
    with pytest.raises(UserError, match=r"several people at 0\.0 s"):
        track_video(film(tmp_path / "a.mp4", both), RATE)


def test_a_face_that_is_lost(someone, tmp_path):
    empty = np.full((SIZE, SIZE, 3), int(np.mean(someone)), np.uint8)
    images = [*someone, *([empty] * 30), *someone]
    with pytest.raises(UserError, match=r"no face from 0\.[34] s on|cut into scenes"):
        track_video(film(tmp_path / "a.mp4", images), RATE)


def test_a_face_that_wanders(someone, tmp_path):
    wide = np.full((2 * SIZE, 3 * SIZE, 3), 90, np.uint8)
    images = []
    for k in range(60):
        image = wide.copy()
        left = max(0, k - 22) * 10
        image[:SIZE, left : left + SIZE] = someone[0]
        images.append(image)
    with pytest.raises(UserError, match="wanders far"):
        track_video(film(tmp_path / "a.mp4", images), RATE)


def test_nobody(tmp_path):
    with pytest.raises(UserError, match="No face"):
        track_video(film(tmp_path / "a.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3), RATE)


def test_hdr_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.options = {"x264-params": "transfer=smpte2084"}
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UserError, match="is HDR"):
        track_video(tmp_path / "a.mp4", RATE)
