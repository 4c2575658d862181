"""Webcams, of which none is here: a stand-in for OpenCV's."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from live_parts import pipeline

from face.errors import UserError
from live.frames import Frame, SourceGone
from live.mailbox import Closed
from live.pipeline import State
from live.sources import camera
from live.sources.camera import CameraSettings, CameraSource, describe_cameras

pytestmark = pytest.mark.fast

MJPG, YUYV = (cv2.VideoWriter.fourcc(*name) for name in ("MJPG", "YUYV"))


class Webcam:
    """A USB 2 camera: uncompressed it manages 1280x720 at 10 frames per second only.

    Args:
        reads: what each read gives until it is closed: an image, or nothing; afterwards always an image.
    """

    def __init__(self, reads: str = "") -> None:
        self.reads, self.plugged_in, self.opened = list(reads), True, 0
        self.format = {cv2.CAP_PROP_FOURCC: YUYV, cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}

    def open(self) -> Webcam:
        self.opened += self.plugged_in
        self._open = self.plugged_in
        return self

    def isOpened(self) -> bool:
        return self._open

    def read(self):
        given = self.reads.pop(0) if self.reads else "image"
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 0] = 200  # blue, as OpenCV orders colors
        return (True, image) if given != "-" else (False, None)

    def set(self, key, value) -> None:
        self.format[key] = value

    def get(self, key):
        if key != cv2.CAP_PROP_FPS:
            return self.format[key]
        large = self.format[cv2.CAP_PROP_FRAME_WIDTH] > 640
        return 10.0 if large and self.format[cv2.CAP_PROP_FOURCC] == YUYV else 30.0

    def release(self) -> None:
        self._open = False


@pytest.fixture
def webcam(monkeypatch):
    webcam = Webcam()
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: webcam.open())
    monkeypatch.setattr(camera, "_RETRY_S", 0.0)
    return webcam


def test_a_loop_that_stops_frees_the_camera(webcam):
    """It closes the mailbox, over which the source's thread falls as it hands the next frame over."""

    def emit(frame):
        raise Closed

    with pytest.raises(Closed):
        CameraSource(0).run(emit, threading.Event())
    assert not webcam.isOpened()


def test_frames_are_numbered_and_rgb(webcam):
    frames, stop = [], threading.Event()

    def emit(frame):
        frames.append(frame)
        if len(frames) == 3:
            stop.set()

    CameraSource(0).run(emit, stop)
    assert [f.number for f in frames] == [0, 1, 2] and frames[0].image[0, 0].tolist() == [0, 0, 200]
    assert not webcam.isOpened()


def test_one_bad_read_is_no_end(webcam):
    """The first image is read as the camera is opened."""
    webcam.reads = ["image", "image", "-"]
    media, stop = [], threading.Event()

    def emit(item):
        media.append(item)
        if len(media) == 4:
            stop.set()

    CameraSource(0).run(emit, stop)
    assert [type(m) for m in media] == [Frame] * 4 and webcam.opened == 2


def test_an_unplugged_camera_is_waited_for(webcam):
    media, stop = [], threading.Event()
    source = CameraSource(0)

    def emit(item):
        media.append(type(item))
        if len(media) == 2:
            webcam.plugged_in, webcam.reads = False, ["-"]
        if len(media) == 5:
            webcam.plugged_in = True
        if len(media) == 6:
            stop.set()

    source.run(emit, stop)
    assert media == [Frame, Frame, SourceGone, SourceGone, SourceGone, Frame]


def test_the_loop_says_that_the_camera_is_gone_and_goes_on(model, target_info, webcam):
    loop = pipeline(model, target_info, CameraSource(0), drop=True)
    come, gone, back = (threading.Event() for _ in range(3))

    class Watched(threading.Event):
        def wait(self, timeout=None):  # between two tries
            if loop.state is State.CAMERA_GONE:
                assert loop.gone == "The camera 0 is gone: plug it in again."
                gone.set()
            return super().wait(0.001)

    loop._stop = Watched()
    follows = lambda: loop.gone is None and loop.state is State.FACE_LOST  # a frame came, and shows no face  # noqa: E731
    loop.sinks.append(lambda _: (back if gone.is_set() and follows() else come).set())
    loop.start()
    try:
        assert come.wait(60)
        webcam.plugged_in, webcam.reads = False, ["-"]
        assert gone.wait(60)
        webcam.plugged_in = True
        assert back.wait(60)
        assert loop.error is None
    finally:
        loop.stop()


def test_a_camera_that_is_not_there_says_so(webcam):
    webcam.plugged_in = False
    with pytest.raises(UserError, match="no camera 3 that gives an image: see --source list"):
        CameraSource(3)


@pytest.mark.parametrize(
    ("settings", "fourcc"),
    [
        (CameraSettings(), YUYV),
        (CameraSettings(size=(1280, 720)), MJPG),
        (CameraSettings(size=(1280, 720), fps=10), YUYV),
        (CameraSettings(fps=60), YUYV),  # compressed it is no faster
    ],
)
def test_compressed_where_that_is_faster(webcam, settings, fourcc):
    CameraSource(0, settings)
    assert webcam.format[cv2.CAP_PROP_FOURCC] == fourcc
    assert settings.size is None or webcam.format[cv2.CAP_PROP_FRAME_WIDTH] == settings.size[0]


def test_cameras_are_listed_by_name_with_their_formats(webcam, monkeypatch, tmp_path):
    (tmp_path / "video2").mkdir()
    (tmp_path / "video2" / "name").write_text("A webcam: of somebody\n")
    monkeypatch.setattr(camera, "_DEVICES", tmp_path)
    monkeypatch.setattr(camera, "_NAMES", tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    (line,) = describe_cameras()
    assert line.startswith("camera:2  A webcam: of somebody: YUYV 640x480 at 30 fps, YUYV 1280x720 at 10 fps")
    assert "MJPG 1280x720 at 30 fps" in line
    webcam.plugged_in = False
    assert describe_cameras() == []
