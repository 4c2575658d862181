"""The command line as a user meets it: real processes, real errors."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import DEMO_TARGET, REPOSITORY

from face.errors import UserError
from face.target import write_engine
from face.video import VideoReader
from live.arguments import parse
from live.device import Device
from live.doctor import report
from live.options import Options
from live.streaming.http.serving import listen

pytestmark = pytest.mark.slow
WITHOUT_GPU = pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a GPU")


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
                   "--no-server", "--doctor", "--camera-size", "--camera-fps", "--mirror", "--rotate",
                   "--overwrite"):  # fmt: skip
        assert option in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--target", "nobody"], "There is no target 'nobody'"),
        (["--source", "nothing.mp4"], "There is no video"),
        (["--source", "camera:77"], "There is no camera 77"),
        (["--output", "no/where.mp4"], "there is no folder no"),
    ],
)
def test_errors_are_one_sentence(words, expected):
    assert expected in sentence(run("--no-server", *words))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port", "99999"], "a number from 0 to 65535 is needed"),
        (["--port", "-1"], "a number from 0 to 65535 is needed"),
        (["--frames", "0"], "a number of at least 1 is needed"),
        (["--size", "large"], "a number of at least 1 is needed"),
        (["--camera-size", "large"], "like 1280x720"),
        (["--rotate", "45"], "invalid choice"),
    ],
)
def test_wrong_options_are_told_before_anything_is_loaded(words, expected, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(words)
    assert expected in capsys.readouterr().err.splitlines()[-1]


def test_options_have_one_default_each():
    assert parse([]) == Options()
    assert parse(["--camera-size", "1280x720"]).source_settings.camera.size == (1280, 720)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": "/nope.mp4"}, "There is no video /nope.mp4"),
        ({"source": "camera:x"}, "names no camera"),
        pytest.param({"device": Device.CUDA}, "or use --device cpu", marks=WITHOUT_GPU),
        ({"target": "half.onnx"}, "half.int8.onnx is damaged"),
    ],
)
@pytest.mark.skipif(not DEMO_TARGET.exists(), reason="the demo target is not here")
def test_doctor_finds_what_the_start_would_fail_on(changes, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(DEMO_TARGET, tmp_path / "half.onnx")
    int8 = DEMO_TARGET.with_suffix(".int8.onnx").read_bytes()
    (tmp_path / "half.int8.onnx").write_bytes(int8[: len(int8) // 2])
    assert report(Options(**{"source": "demo", **changes})) == 1
    (problem,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("PROBLEM")]
    assert expected in problem


def test_without_a_home_there_is_no_cache_but_a_certificate():
    """As for a service's user: what is compiled and signed is kept for the run, which is said once for each."""
    program = """
import live.arguments, numba
from live.app import certificate
from live.options import Options
assert all(path.exists() for path in certificate(Options(self_signed=True)))
print(numba.config.CACHE_DIR)
"""
    environment = {"PATH": "/usr/bin", "HOME": "/dev/null"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "compiled functions are kept for this run only.", "certificates are kept for this run only.",
    ]  # fmt: skip
    assert not Path(done.stdout.strip()).exists()  # it is gone with the process


def test_an_address_that_is_not_ours():
    with pytest.raises(UserError, match="with --host"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize("stage", ["live.arguments.parse", "live.app.choose", "live.app.warm_up"])
def test_ctrl_c_while_it_gets_ready_ends_it_without_a_traceback(stage):
    module, _, function = stage.rpartition(".")
    program = f"""
import importlib, os, signal, sys
import live.cli
sys.argv = ["run_live.py", "--no-server", "--source", "demo", "--frames", "1"]
module = importlib.import_module("{module}")
original = module.{function}
def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    return original(*arguments)
module.{function} = interrupted
sys.exit(live.cli.main())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and done.stderr in ("", "Stopped while it was getting ready: no frame was made.\n")


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
def lose(options):
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
    for word in ("CPU", "GPU", "TensorRT", "Cameras", "Morphable model", "Would use"):
        assert word in done.stdout
    assert done.returncode == (0 if DEMO_TARGET.exists() else 1)
