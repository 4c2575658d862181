from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from face.errors import UserError
from live.mailbox import Closed
from live.sources.sources import DEMO_CLIP, CameraSource, FileSource, NoSource, open_source

pytestmark = pytest.mark.fast


def collect(source, most):
    frames, stop = [], threading.Event()

    def emit(frame):
        frames.append(frame)
        if len(frames) == most:
            stop.set()

    source.run(emit, stop)
    return frames


def test_the_demo_clip_ships_and_loops_without_a_jump_in_time():
    frames = collect(FileSource(DEMO_CLIP, paced=False), 170)
    assert len(frames) == 170 and [f.number for f in frames] == list(range(170))
    assert frames[0].image.shape == (288, 288, 3)
    assert (frames[160].image == frames[0].image).all()


def test_a_paced_file_keeps_its_own_rate():
    frames = collect(FileSource(DEMO_CLIP), 10)
    assert [round((f.captured_s - frames[0].captured_s) * 25) for f in frames] == list(range(10))


def test_no_frame_of_a_paced_file_comes_before_its_time():
    early = []
    source, stop = FileSource(DEMO_CLIP), threading.Event()

    def emit(frame):
        early.append(frame.captured_s - time.monotonic())
        if len(early) == 6:
            stop.set()

    source.run(emit, stop)
    assert max(early) <= 0.001


def test_names_of_sources():
    assert isinstance(open_source("browser"), NoSource)
    assert open_source("demo").name == f"the demo clip {DEMO_CLIP.name}"
    assert isinstance(open_source(str(DEMO_CLIP)), FileSource)


@pytest.mark.parametrize(
    ("text", "words"),
    [("nothing.mp4", "There is no video"), ("camera:99", "no camera 99"), ("camera:x", "names no camera")],
)
def test_bad_sources_say_so(text, words):
    with pytest.raises(UserError, match=words):
        open_source(text)


def test_a_file_that_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(UserError, match="Cannot read"):
        open_source(str(tmp_path / "a.mp4"))


class Webcam:
    """Gives some black pictures, then none; stands in for OpenCV's."""

    def __init__(self, pictures: int) -> None:
        self._left, self.released = pictures, False

    def isOpened(self) -> bool:
        return not self.released

    def read(self):
        self._left -= 1
        return self._left >= 0, np.zeros((48, 64, 3), np.uint8)

    def set(self, *_) -> None:
        pass

    def release(self) -> None:
        self.released = True


@pytest.fixture
def webcam(monkeypatch):
    webcam = Webcam(pictures=4)
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: webcam)
    return webcam


def test_a_loop_that_stops_frees_the_camera(webcam):
    """It closes the mailbox, over which the source's thread falls as it hands the next frame over."""

    def emit(frame):
        raise Closed

    with pytest.raises(Closed):
        CameraSource(0).run(emit, threading.Event())
    assert webcam.released


def test_a_camera_that_is_told_to_stop_or_breaks_off_is_freed(webcam):
    source = CameraSource(0)
    assert len(collect(source, 2)) == 2 and webcam.released
    webcam.released = False
    with pytest.raises(UserError, match="camera 0 stopped giving pictures"):
        source.run(lambda _: None, threading.Event())
    assert webcam.released
