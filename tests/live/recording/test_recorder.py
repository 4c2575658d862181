"""Recordings of a session whose frames and sound are known, read back with FFmpeg."""

from __future__ import annotations

import asyncio
import errno
import io
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from face.errors import UserError
from live.frames import SOUND_RATE, Generated, Sound
from live.metrics import Metrics
from live.recording.output_file import OutputFile
from live.recording.recorder import Recorder
from live.streaming.session import Session

pytestmark = pytest.mark.fast


class Loop:
    """What a session needs of a pipeline."""

    def __init__(self):
        self.metrics, self.sinks, self.sound_sinks, self.latest = Metrics(), [], [], None
        self.errors = []

    def fail(self, stage, error):
        self.errors.append((stage, error))

    def show(self, image, time_s):
        self.latest = Generated(image, None, time_s)
        for sink in self.sinks:
            sink(self.latest)

    def play(self, samples, time_s):
        for sink in self.sound_sinks:
            sink(Sound(samples, time_s))


def flat(level, size=64):
    return np.full((size, size, 3), level, np.uint8)


async def record(path, act, overwrite=False):
    """Record while ``act`` runs; the recorder, closed."""
    loop = Loop()
    session = Session(loop, asyncio.get_running_loop(), None)
    recorder = Recorder(session, OutputFile(path, overwrite))
    await act(loop, recorder)
    await recorder.close()
    await session.close()
    assert not loop.errors
    return recorder


async def until(condition):
    while not condition():  # noqa: ASYNC110 a thread makes it true
        await asyncio.sleep(0.005)


async def taken(recorder, time_s):
    """Wait until what was captured so long after the first frame is written."""
    await until(lambda: recorder.duration_s >= time_s or recorder.failure)


async def first(recorder):
    await until(lambda: recorder._muxer or recorder.failure)


def frames(path):
    with av.open(str(path)) as film:
        return [(frame.time, int(frame.to_ndarray(format="gray").mean())) for frame in film.decode(video=0)]


def sound(path):
    """Samples of the left channel and the time of the first."""
    with av.open(str(path)) as film:
        pieces = list(film.decode(audio=0))
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces]), pieces[0].time


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_are_at_their_capture_times_and_a_pause_keeps_its_length(tmp_path, name):
    times = [100.0, 100.04, 100.21, 130.0, 130.04]

    async def act(loop, recorder):
        for number, time_s in enumerate(times):
            loop.show(flat(50 * number), time_s)
            await (first(recorder) if number == 0 else taken(recorder, time_s - times[0] - 2e-3))

    asyncio.run(record(tmp_path / name, act))
    read = frames(tmp_path / name)
    assert [time_s for time_s, _ in read] == pytest.approx([t - 100 for t in times], abs=2e-3)
    assert [level for _, level in read] == pytest.approx([0, 50, 100, 150, 200], abs=20)


def test_sound_is_in_step_with_the_frames(tmp_path):
    """A flash and a click of one capture time are at one time in the file, though sound begins after the frames."""

    async def act(loop, recorder):
        begin_s = time.monotonic()
        flash_s = begin_s + 1.0
        loop.show(flat(0), begin_s)
        await first(recorder)
        for number in range(50):
            samples = np.zeros((SOUND_RATE // 50, 2), np.int16)
            if number >= 25:
                samples[:] = (8000 * np.sin(np.arange(len(samples)) / 10))[:, None]
            loop.play(samples, begin_s + 0.5 + number * 0.02)
        for number in range(1, 40):
            captured_s = begin_s + number * 0.04
            loop.show(flat(0 if captured_s < flash_s - 1e-3 else 200), captured_s)
            await taken(recorder, number * 0.04 - 2e-3)
        await until(lambda: not recorder._session.sound._waiting)

    asyncio.run(record(tmp_path / "a.mp4", act))
    flash_s = next(time_s for time_s, level in frames(tmp_path / "a.mp4") if level > 100)
    samples, begin_s = sound(tmp_path / "a.mp4")
    click_s = begin_s + np.argmax(np.abs(samples) > 0.1 * np.abs(samples).max()) / SOUND_RATE
    assert begin_s == pytest.approx(0.5, abs=0.04)  # an Opus packet and its look-ahead are lost
    assert flash_s == pytest.approx(1.0, abs=0.002)
    assert click_s == pytest.approx(flash_s, abs=0.01)


class FullDisk(io.FileIO):
    """Takes so many bytes and no more, the last of them in part, as a disk does."""

    room = 20_000

    def write(self, data):
        taken = super().write(memoryview(data)[: self.room])
        self.room -= taken
        if taken == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return taken


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_full_disk_ends_the_recording_and_leaves_a_film(tmp_path, monkeypatch, name):
    monkeypatch.setattr(Path, "open", lambda self, mode, buffering: FullDisk(self, mode.replace("b", "")))
    noise = np.random.default_rng(1)

    async def act(loop, recorder):
        number = 0
        while recorder.active:
            loop.show(noise.integers(0, 255, (64, 64, 3), np.uint8), 5 + number * 0.04)
            number += 1
            await asyncio.sleep(0.005)
        assert not recorder._encoder._sinks and not recorder._session.sound._sinks

    recorder = asyncio.run(record(tmp_path / name, act))
    assert "the disk is full" in recorder.failure
    assert len(frames(tmp_path / name)) > 5


def test_images_of_another_size_end_it_with_a_sentence(tmp_path):
    async def act(loop, recorder):
        loop.show(flat(9), 1.0)
        await first(recorder)
        loop.show(flat(9, 128), 1.1)
        await until(lambda: not recorder.active)

    recorder = asyncio.run(record(tmp_path / "a.mp4", act))
    assert "another size" in recorder.failure
    assert len(frames(tmp_path / "a.mp4")) == 1


def test_a_recorder_counts_as_no_viewer_and_leaves_packets_as_they_are(tmp_path):
    async def act(loop, recorder):
        assert recorder._session.viewers == 0
        viewer = recorder._encoder.subscribe()
        loop.show(flat(9), 7.0)
        packet = await viewer.next()
        await first(recorder)
        assert recorder._session.viewers == 1
        assert packet.stream is None or packet.time_base.denominator == 90_000
        assert packet.is_keyframe and packet.pts >= 0

    asyncio.run(record(tmp_path / "a.mp4", act))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.txt", "ends in .mp4"), ("no/where.mp4", "there is no folder"), ("folder.mp4", "it is a folder"),
     ("taken.mp4", "add --overwrite")],
)  # fmt: skip
def test_where_nothing_can_be_recorded(tmp_path, name, expected):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "taken.mp4").write_bytes(b"a film")
    with pytest.raises(UserError, match=expected):
        OutputFile(tmp_path / name)


def test_a_file_is_one_processs_alone(tmp_path):
    first = OutputFile(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="Another process records to"):
        OutputFile(tmp_path / "a.mp4", overwrite=True)
    first.close()
    assert not list(tmp_path.iterdir())


def test_a_film_is_replaced_by_the_first_bytes_and_not_before(tmp_path):
    (tmp_path / "taken.mp4").write_bytes(b"a film")
    OutputFile(tmp_path / "taken.mp4", overwrite=True).close()
    assert (tmp_path / "taken.mp4").read_bytes() == b"a film"
    file = OutputFile(tmp_path / "taken.mp4", overwrite=True)
    file.write(b"new")
    file.close()
    assert (tmp_path / "taken.mp4").read_bytes() == b"new"


def test_writing_from_another_thread_never_holds_up_the_loop(tmp_path, monkeypatch):
    """A disk that hangs holds up the recording alone."""
    release = threading.Event()
    write = OutputFile.write
    monkeypatch.setattr(OutputFile, "write", lambda self, data: release.wait(20) and write(self, data))

    async def act(loop, recorder):
        viewer = recorder._encoder.subscribe()
        loop.show(flat(9), 7.0)
        await viewer.next()
        loop.show(flat(99), 7.04)
        await asyncio.wait_for(viewer.next(), 10)
        release.set()

    asyncio.run(record(tmp_path / "a.mp4", act))
