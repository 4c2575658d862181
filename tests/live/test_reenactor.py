"""The program inside another one."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from conftest import DEMO_TARGET

from face.errors import UserError
from face.retarget import Mode, RetargetSettings
from face.video import VideoReader
from live.device import Device
from live.reenactor import Reenactor
from live.sources.video_file import DEMO_CLIP
from live.trust.label_detector import read_label
from live.trust.watermark_detector import read_watermark

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DEMO_TARGET.exists(), reason="the demo target is not here")]


def test_the_example():
    images = []
    with Reenactor("demo") as reenactor, VideoReader(DEMO_CLIP) as video:
        for frame, time_s in video:
            images.append(reenactor.step(frame, time_s))
            if time_s > 0.5:
                break
    assert {image.shape for image in images} == {(256, 256, 3)} and images[0].dtype == np.uint8
    assert any((image != images[0]).any() for image in images[1:])


@pytest.fixture(scope="module")
def reenactor():
    with Reenactor("demo", Device.CPU, RetargetSettings(mode=Mode.FACE)) as opened:
        yield opened


def test_it_says_whether_there_was_a_face_and_runs_no_stage_of_the_live_loop(reenactor):
    with VideoReader(DEMO_CLIP) as video:
        frame = next(iter(video))[0]
    reenactor.step(frame)
    assert reenactor.face_found and 0 < reenactor.calibration < 1
    reenactor.step(np.zeros_like(frame))
    assert not reenactor.face_found
    assert not {"capture", "face", "generate"} & {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (np.zeros((9, 9), np.uint8), r"not uint8 \(9, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), "height, width, 3"),
        (np.zeros((9, 9, 3)), "not float64"),
        (np.zeros((0, 9, 3), np.uint8), "at least one pixel"),
        ("frame.png", "not str"),
    ],
)
def test_a_wrong_frame_is_one_sentence(reenactor, frame, expected):
    with pytest.raises(UserError, match=expected):
        reenactor.step(frame)


def test_frames_come_in_order(reenactor):
    frame = np.zeros((90, 120, 3), np.uint8)
    reenactor.step(frame, 1e9)
    with pytest.raises(UserError, match="come in order"):
        reenactor.step(frame, 1e9)


def test_a_closed_one_says_so():
    with Reenactor("demo", Device.CPU) as reenactor:
        pass
    with pytest.raises(UserError, match="closed"):
        reenactor.step(np.zeros((90, 120, 3), np.uint8))


def test_its_images_are_marked(reenactor):
    image = reenactor.step(np.zeros((64, 64, 3), np.uint8), 2e9)  # after the frames of the tests before
    assert read_watermark([image]) is not None and read_label([image]) is not None
