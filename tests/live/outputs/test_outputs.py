"""A pipe and a virtual camera."""

from __future__ import annotations

import io
import sys
import threading
from types import SimpleNamespace

import av
import numpy as np
import pytest

from face.errors import UserError
from live.frames import Generated
from live.outputs.steady import SteadyOutput
from live.outputs.virtual_camera import VirtualCamera
from live.outputs.y4m import Y4mWriter

pytestmark = pytest.mark.fast


def test_ffmpeg_reads_what_the_pipe_gets():
    stream = io.BytesIO()
    writer = Y4mWriter(stream)
    colors = [(200, 30, 60), (20, 180, 90)]
    for color in colors:
        writer.write(np.full((32, 48, 3), color, np.uint8))
    with av.open(io.BytesIO(stream.getvalue()), format="yuv4mpegpipe") as film:
        assert film.streams.video[0].average_rate == 25
        images = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert [image.shape for image in images] == 2 * [(32, 48, 3)]
    for image, color in zip(images, colors, strict=True):
        assert np.abs(image.mean((0, 1)) - color).max() < 4


def test_frames_go_on_at_a_steady_rate_and_size():
    written, enough = [], threading.Event()

    def write(image):
        written.append(image)
        if len(written) == 3:
            output.put(Generated(np.full((64, 64, 3), 9, np.uint8), None, 0.0))
        if len(written) == 6:
            enough.set()

    output = SteadyOutput(write, lambda error: pytest.fail(repr(error)))
    output.put(Generated(np.full((32, 32, 3), 5, np.uint8), None, 0.0))
    assert enough.wait(20)
    output.close()
    assert {image.shape for image in written} == {(32, 32, 3)}
    assert {image.max() for image in written[:3]} == {5} and written[5].max() == 9


def test_a_reader_that_has_gone_ends_it():
    failures, failed = [], threading.Event()

    def write(_):
        raise BrokenPipeError

    output = SteadyOutput(write, lambda error: (failures.append(error), failed.set()))
    output.put(Generated(np.zeros((32, 32, 3), np.uint8), None, 0.0))
    assert failed.wait(20) and isinstance(failures[0], BrokenPipeError)
    output.put(Generated(np.zeros((32, 32, 3), np.uint8), None, 0.0))
    output.close()


def test_a_virtual_camera_gets_images_or_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(UserError, match="pip install"):
        VirtualCamera(256)

    def none(**_):
        raise RuntimeError("backend 1:\nbackend 2:")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=none))
    with pytest.raises(UserError, match="modprobe v4l2loopback"):
        VirtualCamera(256)

    sent = []
    camera = SimpleNamespace(device="/dev/video9", send=sent.append, close=lambda: sent.append("closed"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=lambda **words: camera))
    virtual = VirtualCamera(256)
    virtual.write(np.zeros((256, 256, 3), np.uint8))
    virtual.close()
    assert virtual.device == "/dev/video9" and sent[0].shape == (256, 256, 3) and sent[1] == "closed"
