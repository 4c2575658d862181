"""Real processes that record, and end in every way but a clean one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from conftest import DEMO_TARGET, REPOSITORY

from face.video import VideoReader
from live.sources.video_file import DEMO_CLIP

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DEMO_TARGET.exists(), reason="the demo target is not here")]


@pytest.fixture(scope="module")
def sounding_clip(tmp_path_factory):
    """Some frames of the demo clip with a tone."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoReader(DEMO_CLIP) as video, av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25, width=640, height=480, pix_fmt="yuv420p")
        tone = film.add_stream("aac", rate=48_000, layout="mono")
        for (image, _), _ in zip(video, range(60), strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(640, 480, "yuv420p")
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        wave = (8000 * np.sin(np.arange(48_000 * 2) / 20)).astype(np.int16)[None]
        sound = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        sound.sample_rate = 48_000
        film.mux(tone.encode(sound))
        film.mux(tone.encode(None))
    return path


def start(path, clip, *words):
    command = [sys.executable, "-u", "run_live.py", "--source", str(clip), "--output", str(path), *words]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def recorded(process, path, size=4000):
    """Wait until something was recorded."""
    while not (path.exists() and path.stat().st_size > size):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def played(path):
    """Numbers of frames and of pieces of sound that a player decodes."""
    with av.open(str(path)) as film:
        frames = sum(1 for _ in film.decode(video=0))
    with av.open(str(path)) as film:
        return frames, sum(1 for _ in film.decode(audio=0))


def test_a_killed_process_leaves_a_film_with_sound(sounding_clip, tmp_path):
    """Killed at any moment; HEAD2HEAD_KILLS says how often."""
    chance = random.Random(int(os.environ.get("HEAD2HEAD_SEED", "5")))
    for attempt in range(int(os.environ.get("HEAD2HEAD_KILLS", "2"))):
        path = tmp_path / f"{attempt}.mp4"
        process = start(path, sounding_clip, "--no-server")
        recorded(process, path)
        moment_s = chance.uniform(0.5, 4)
        time.sleep(moment_s)  # the moment is what is tried
        process.kill()
        process.communicate()
        frames, sounds = played(path)
        print(f"killed {moment_s:.2f} s after its first bytes: {frames} frames, {sounds} pieces of sound")
        assert frames > 2 and sounds > 0


def test_a_closed_terminal_ends_it_cleanly(sounding_clip, tmp_path):
    process = start(tmp_path / "a.mp4", sounding_clip, "--no-server")
    recorded(process, tmp_path / "a.mp4")
    process.send_signal(signal.SIGHUP)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "") and "recorded " in out
    assert played(tmp_path / "a.mp4")[0] > 2


def test_a_second_process_is_refused_the_file(sounding_clip, tmp_path):
    first = start(tmp_path / "a.mp4", sounding_clip, "--no-server")
    recorded(first, tmp_path / "a.mp4", 0)
    second = start(tmp_path / "a.mp4", sounding_clip, "--no-server", "--overwrite")
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1 and errors.startswith("Another process records to") and errors.count("\n") == 1
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert played(tmp_path / "a.mp4")[0] > 2
