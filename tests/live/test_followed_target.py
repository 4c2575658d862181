from __future__ import annotations

import os
import queue
from pathlib import Path

import pytest

from face.errors import UserError
from face.target import find_target
from live.followed_target import FollowedTarget

pytestmark = pytest.mark.fast


def replaced(path: Path, content: str) -> None:
    """As training does: whole, under a later time."""
    later = path.stat().st_mtime_ns + 1_000_000_000
    path.with_suffix(".new").write_text(content)
    os.utime(path.with_suffix(".new"), ns=(later, later))
    os.replace(path.with_suffix(".new"), path)


def test_each_version_is_shown_once_and_a_bad_one_is_passed_over(tmp_path, caplog):
    path, shown = tmp_path / "preview.onnx", queue.Queue()
    path.write_text("first")

    def load() -> str:
        content = path.read_text()
        if content == "bad":
            raise UserError("is damaged")
        return content

    with FollowedTarget(path, load, shown.put, look_every_s=0.01):
        replaced(path, "second")
        assert shown.get(timeout=10) == "second"
        replaced(path, "bad")
        while "is damaged" not in caplog.text:
            assert shown.empty()
        replaced(path, "third")
        assert shown.get(timeout=10) == "third"
    replaced(path, "after the end")
    assert shown.empty()


def test_a_run_in_training_is_a_target(tmp_path):
    with pytest.raises(UserError, match="after a minute of training"):
        find_target(str(tmp_path), [])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "preview.onnx").touch()
    assert find_target(str(tmp_path), []) == find_target(str(tmp_path / "run"), []) == tmp_path / "run" / "preview.onnx"
