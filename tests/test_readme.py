"""What the README shows of outputs, run as it stands there; only where a loop would run for ever its end is added."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.slow
_MOST_LINES = 5
_TITLES = ["Record it", "Be a camera", "Show it in OBS", "Embed it", "Prove what"]


def block(title: str) -> str:
    """The code below a title in bold."""
    found = re.search(rf"^\*\*{title}.*?^```\w*\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.M | re.S)
    assert found is not None, title
    return found[1]


def run(command: str, folder: Path, *end: str) -> subprocess.CompletedProcess:
    words = command.replace("run_live.py", str(REPOSITORY / "run_live.py")).split()
    assert words[0] == "python"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "XDG_CONFIG_HOME": str(folder)}
    return subprocess.run(
        [sys.executable, *words[1:], *end], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )


@pytest.mark.parametrize("title", _TITLES)
def test_each_is_short(title):
    assert len(block(title).splitlines()) <= _MOST_LINES


def test_a_recording_is_made_and_verified(tmp_path):
    made = run(block("Record it"), tmp_path, "--source", "demo", "--port", "0", "--frames", "60")
    assert made.returncode == 0, made.stderr
    verified = run(block("Prove what"), tmp_path)
    assert verified.returncode == 0 and "session" in verified.stdout, verified.stdout + verified.stderr


def test_the_virtual_camera_is_there_or_a_sentence_says_what_to_do(tmp_path):
    command = block("Be a camera").splitlines()[-1]
    shown = run(command, tmp_path, "--source", "demo", "--port", "0", "--frames", "5")
    assert shown.returncode == 0 or re.search(r"virtual camera.*(pip install|v4l2loopback)", shown.stderr, re.S)
    assert "Traceback" not in shown.stderr


def test_obs_is_given_the_clean_page():
    assert block("Show it in OBS").strip().endswith("/?clean")  # tests/live/streaming/test_page_controls.py opens it


def test_frames_go_in_and_out(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    names: dict[str, object] = {}
    exec(block("Embed it"), names)
    images = names["images"]
    assert isinstance(images, list) and {image.shape for image in images} == {(256, 256, 3)}
    assert np.abs(images[-1].astype(int) - images[0]).mean() > 0.5  # it moves
