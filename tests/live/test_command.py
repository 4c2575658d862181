"""The command line as a user meets it: real processes, real errors."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import DEMO_TARGET, REPOSITORY

from face.target import write_engine
from face.video import VideoReader

pytestmark = pytest.mark.slow


def run(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run_live.py", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error: no traceback, non-zero exit."""
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line and not re.match(r"[WI]\d{4} |INFO:|WARNING:", line)]
    assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    return lines[0]


def test_help_shows_every_option():
    text = run("--help").stdout
    for option in ("--target", "--source", "--mode", "--size", "--host", "--port", "--frames", "--output",
                   "--no-server", "--doctor"):  # fmt: skip
        assert option in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--target", "nobody"], "There is no target 'nobody'"),
        (["--source", "nothing.mp4"], "There is no video"),
        (["--source", "camera:77"], "There is no camera 77"),
        (["--size", "512"], "makes images of 256 px"),
        (["--output", "a.txt"], "ends in .mp4"),
        (["--output", "no/where.mp4"], "there is no folder no"),
    ],
)
def test_errors_are_one_sentence(words, expected):
    assert expected in sentence(run("--no-server", *words))


def test_foreign_target_files(tmp_path, target_info):
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    assert "not a target file" in sentence(run("--no-server", "--target", str(tmp_path / "junk.onnx")))
    write_engine(tmp_path / "a.engine", b"", target_info)
    assert "needs an NVIDIA GPU" in sentence(run("--no-server", "--target", str(tmp_path / "a.engine")))
    from dataclasses import replace

    write_engine(tmp_path / "b.engine", b"", replace(target_info, model_hash="0" * 64))
    assert "another morphable model" in sentence(run("--no-server", "--target", str(tmp_path / "b.engine")))


def test_a_lost_gpu_is_one_sentence():
    """CUDA's complaints of what it cannot free, as the process ends, are not for the user."""
    program = """
import atexit, sys
import live.app, live.cli
from trt_engines.gpu import GpuLost
def lose(arguments):
    raise GpuLost("GPU 0 failed")
live.app.run = lose
atexit.register(print, "Warning: cuMemFreeAsync failed", file=sys.stderr)
sys.exit(live.cli.main([]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert sentence(done) == "GPU 0 failed"


@pytest.mark.parametrize(
    "start",
    [
        "live.app.build_pipeline = tell; live.cli.main(['--no-server'])",
        "live.bench.measure = tell; live.bench.main()",
    ],
)
def test_commands_have_libraries_compute_on_one_thread(start):
    program = f"""
import cv2, live.app, live.bench, live.cli
from threadpoolctl import threadpool_info
def tell(*_, **__):
    print(cv2.getNumThreads(), *(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"))
    raise SystemExit
{start}
"""
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=free, capture_output=True, text=True, timeout=60
    )
    assert set(done.stdout.split()) == {"1"}, done.stderr


def test_busy_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "choose another with --port" in sentence(run("--port", str(taken.getsockname()[1])))


@pytest.mark.skipif(not DEMO_TARGET.exists(), reason="the demo target is not here")
def test_records_some_frames_and_stops(tmp_path):
    done = run("--no-server", "--source", "demo", "--frames", "12", "--output", str(tmp_path / "a.mp4"))
    assert done.returncode == 0, done.stderr
    assert "source: the demo clip studio_noor.mp4" in done.stdout
    with VideoReader(tmp_path / "a.mp4") as video:
        shapes = [image.shape for image, _ in video]
    assert len(shapes) >= 12 and set(shapes) == {(256, 256, 3)}
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.skipif(not DEMO_TARGET.exists(), reason="the demo target is not here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-u", "run_live.py", "--source", "demo", "--port", "0", "--output", str(tmp_path / "a.mp4")],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = next(line for line in process.stdout if line.startswith("open ")).split()[1]
    assert urllib.request.urlopen(f"{address}/status", timeout=30).status == 200
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert errors == ""
    assert not list(Path(tmp_path).glob(".*"))


def test_doctor_says_what_would_be_used():
    done = run("--doctor")
    for word in ("Processor", "GPU", "TensorRT", "Cameras", "Morphable model", "Would use"):
        assert word in done.stdout
    assert done.returncode == (0 if DEMO_TARGET.exists() else 1)
