from __future__ import annotations

import contextlib

import numpy as np
import pytest

from face.errors import UserError
from face.video import VideoReader
from live.frames import Generated
from live.recorder import Recorder, check_output

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.txt", "ends in .mp4"), ("no/where.mp4", "there is no folder"), ("folder.mp4", "it is a folder"),
     ("taken.mp4", "add --overwrite")],
)  # fmt: skip
def test_where_nothing_can_be_recorded(tmp_path, name, expected):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "taken.mp4").write_bytes(b"a film")
    with pytest.raises(UserError, match=expected):
        check_output(tmp_path / name, overwrite=False)


def test_a_recording_may_replace_one_where_that_is_asked_for(tmp_path):
    (tmp_path / "taken.mp4").write_bytes(b"a film")
    check_output(tmp_path / "taken.mp4", overwrite=True)
    check_output(tmp_path / "new.mp4", overwrite=False)


def test_a_failure_is_told_and_leaves_no_file(tmp_path):
    recorder = Recorder(tmp_path / "a.mp4")
    recorder.put(Generated(np.zeros((7, 0, 3), np.uint8), None, 0.0))
    with pytest.raises(UserError, match="recording failed"):
        recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_the_file_keeps_real_time_where_pictures_come_unevenly(tmp_path):
    recorder = Recorder(tmp_path / "a.mp4")
    recorder._waiting._drop = False  # each waits until the one before is taken, instead of replacing it
    with contextlib.closing(recorder):
        for level, time_s in ((0, 10.0), (80, 10.2), (160, 10.21), (240, 10.4)):
            recorder.put(Generated(np.full((32, 32, 3), level, np.uint8), None, time_s))
    with VideoReader(tmp_path / "a.mp4") as video:
        levels = [int(image.mean()) for image, _ in video]
    assert len(levels) == 11  # 0.4 s at 25 frames a second, and the last
    assert [round(level / 80) for level in levels] == [0] + 5 * [1] + 5 * [3]
