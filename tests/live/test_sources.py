from __future__ import annotations

import threading
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from face.errors import UserError
from live.frames import Frame, Sound
from live.sources.browser import NoSource
from live.sources.open import SourceSettings, open_source
from live.sources.orientation import Orientation
from live.sources.video_file import DEMO_CLIP, FileSource

pytestmark = pytest.mark.fast


def collect(source, most):
    frames, stop = [], threading.Event()

    def emit(frame):
        frames.append(frame)
        if len(frames) == most:
            stop.set()

    source.run(emit, stop)
    return frames


def test_the_demo_clip_ships_and_loops_without_a_jump_in_time():
    frames = collect(FileSource(DEMO_CLIP, paced=False), 170)
    assert len(frames) == 170 and [f.number for f in frames] == list(range(170))
    assert frames[0].image.shape == (288, 288, 3)
    assert (frames[160].image == frames[0].image).all()


def test_a_paced_file_keeps_its_own_rate():
    frames = collect(FileSource(DEMO_CLIP), 10)
    assert [round((f.captured_s - frames[0].captured_s) * 25) for f in frames] == list(range(10))


def test_no_frame_of_a_paced_file_comes_before_its_time():
    early = []
    source, stop = FileSource(DEMO_CLIP), threading.Event()

    def emit(frame):
        early.append(frame.captured_s - time.monotonic())
        if len(early) == 6:
            stop.set()

    source.run(emit, stop)
    assert max(early) <= 0.001


def test_a_machine_too_slow_for_a_file_falls_behind_no_further():
    now_s, behind_s, stop = [0.0], [], threading.Event()

    def emit(media):
        if isinstance(media, Frame):
            behind_s.append(now_s[0] - media.captured_s)
            now_s[0] += 0.1  # until it is ready for the next, which is due 40 ms after this one
            if len(behind_s) == 60:
                stop.set()

    FileSource(DEMO_CLIP, clock=lambda: now_s[0]).run(emit, stop)
    assert max(behind_s) <= 0.5


def broadcast(path, start_s: float, seconds: float = 0.6):
    """A piece of a recorded stream: frames and sound with times that do not begin at 0."""
    with av.open(str(path), "w") as sink:
        video, audio = sink.add_stream("libx264", rate=25), sink.add_stream("aac", rate=48_000)
        video.width = video.height = 64
        video.options = {"tune": "zerolatency"}
        video.codec_context.time_base = Fraction(1, 25)
        for k in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = round(start_s * 25) + k, Fraction(1, 25)
            sink.mux(video.encode(frame))
        for k in range(round(seconds * 48_000) // 1024):
            piece = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            piece.sample_rate, piece.time_base = 48_000, Fraction(1, 48_000)
            piece.pts = round(start_s * 48_000) + 1024 * k
            sink.mux(audio.encode(piece))
        sink.mux([*video.encode(None), *audio.encode(None)])
    return path


class Clock:
    """A clock, and a stop event whose waits move it: a paced source plays in no time."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def is_set(self) -> bool:
        return False


def play(path):
    """Due times of all frames and of all sound of a file, from the start on."""
    clock, media = Clock(), []
    FileSource(path, loop=False, clock=clock).run(media.append, clock)
    return [[m.captured_s - 1000 for m in media if isinstance(m, kind)] for kind in (Frame, Sound)]


def test_a_file_that_does_not_begin_at_zero_is_shown_at_once(tmp_path):
    frames, sounds = play(broadcast(tmp_path / "a.ts", 100.0))
    assert frames == pytest.approx([k / 25 for k in range(15)], abs=1e-3)
    assert sounds[0] < 0.05 and sounds[-1] == pytest.approx(0.55, abs=0.05)


def test_times_that_jump_are_a_new_beginning(tmp_path):
    """Recorded streams that were joined, forwards and back; the sound stays with its frames."""
    pieces = [broadcast(tmp_path / f"{start_s}.ts", start_s).read_bytes() for start_s in (100.0, 300.0, 50.0)]
    (tmp_path / "joined.ts").write_bytes(b"".join(pieces))
    frames, sounds = play(tmp_path / "joined.ts")
    assert frames == pytest.approx([k / 25 for k in range(45)], abs=1e-3)
    assert sounds == sorted(sounds) and np.diff(sounds).max() < 0.08  # no more than a piece or two is lost at a joint
    assert sounds[0] < 0.05 and sounds[-1] == pytest.approx(1.75, abs=0.05)


def test_names_of_sources():
    assert isinstance(open_source("browser"), NoSource)
    assert open_source("demo").name == f"the demo clip {DEMO_CLIP.name}"
    assert isinstance(open_source(str(DEMO_CLIP)), FileSource)


@pytest.mark.parametrize(
    ("text", "words"),
    [("nothing.mp4", "There is no video"), (".", "There is no video"), ("camera:x", "names no camera")],
)
def test_bad_sources_say_so(text, words):
    with pytest.raises(UserError, match=words):
        open_source(text)


def test_a_file_that_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(UserError, match="Cannot read"):
        open_source(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("rotate_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_source_turned_and_mirrored(tmp_path, rotate_deg, mirror):
    """Red at the upper left goes clockwise round the corners, then to the other side."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :16] = [255, 0, 0]
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    settings = SourceSettings(loop=False, paced=False, orientation=Orientation(rotate_deg=rotate_deg, mirror=mirror))
    (frame,) = collect(open_source(str(tmp_path / "a.png"), settings), 1)
    corner = [(0, 0), (0, -1), (-1, -1), (-1, 0)][rotate_deg // 90]
    row, column = (corner[0], -1 - corner[1]) if mirror else corner
    assert (
        frame.image.shape == ((48, 64, 3) if rotate_deg % 180 == 0 else (64, 48, 3)) and frame.image.flags.c_contiguous
    )
    assert frame.image[row, column].tolist() == [255, 0, 0] and (frame.image == [255, 0, 0]).all(-1).sum() == 256
