from __future__ import annotations

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from face.errors import UserError
from face.video import VideoReader, VideoWriter

pytestmark = pytest.mark.fast


def test_round_trip(tmp_path):
    frames = [np.full((64, 96, 3), (k * 20, 128, 255 - k * 20), np.uint8) for k in range(10)]
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for frame in frames:
            writer.write(frame)
    with VideoReader(tmp_path / "a.mp4") as video:
        assert video.rate == 25
        back = list(video)
        assert len(list(video)) == 10  # it can be read again
    assert [round(t * 25) for _, t in back] == list(range(10))
    assert all(np.abs(a.astype(int) - b).mean() < 6 for a, (b, _) in zip(frames, back, strict=True))


def test_nothing_is_left_when_writing_fails(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
        raise RuntimeError
    with VideoWriter(tmp_path / "b.mp4", 25):
        pass  # no frame
    assert list(tmp_path.iterdir()) == []


def test_odd_sizes_are_read_right(tmp_path):
    """VP8 keeps odd sizes; the rows of such frames are padded."""
    image = np.zeros((95, 127, 3), np.uint8)
    image[:, 64:] = 255
    with av.open(str(tmp_path / "a.webm"), "w") as container:
        stream = container.add_stream("libvpx", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 127, 95, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    with VideoReader(tmp_path / "a.webm") as video:
        read, _ = next(iter(video))
    assert read.shape == image.shape and read.flags.c_contiguous
    assert np.abs(read.astype(int) - image).mean() < 4


def test_a_telephone_held_upright(tmp_path):
    """The file asks to be turned clockwise, as telephones do: its track header carries a matrix."""
    image = np.zeros((48, 80, 3), np.uint8)
    image[:24, :40] = [250, 0, 0]  # left above
    with VideoWriter(tmp_path / "flat.mp4", 25) as video:
        video.write(image)
    content = bytearray((tmp_path / "flat.mp4").read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 48 << 16, 0, 0x40000000)
    (tmp_path / "upright.mp4").write_bytes(content)
    with VideoReader(tmp_path / "upright.mp4") as video:
        turned, _ = next(iter(video))
    assert turned.shape == (80, 48, 3)
    assert turned[10, 40, 0] > 200 and turned[10, 8, 0] < 50  # right above


@pytest.mark.parametrize("start_s", [0, 20])
def test_sound_goes_along(tmp_path, start_s):
    """A second of a 440-Hz tone from 0.4 s on, beside twenty-five frames, comes out at its time."""
    rate = 44100
    with av.open(str(tmp_path / "source.mkv"), "w") as container:
        video_stream, stream = container.add_stream("libx264", rate=25), container.add_stream("flac", rate=rate)
        video_stream.width, video_stream.height, video_stream.codec_context.time_base = 64, 48, Fraction(1, 25)
        shown = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
        shown.pts, shown.time_base = 25 * start_s, Fraction(1, 25)
        container.mux([*video_stream.encode(shown), *video_stream.encode(None)])
        time = np.arange(rate) / rate
        tone = (np.sin(2 * np.pi * 440 * time) * (time > 0.4) * 12000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], "s16", "mono")
        frame.rate, frame.time_base, frame.pts = rate, Fraction(1, rate), rate * start_s
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoWriter(tmp_path / "out.mp4", 25, sound_of=tmp_path / "source.mkv") as video:
        for _ in range(25):
            video.write(np.zeros((48, 64, 3), np.uint8))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].frames == 25
        pieces = [(f.time, f.to_ndarray().mean(0)) for f in container.decode(container.streams.audio[0])]
    heard = np.concatenate([piece for _, piece in pieces])
    assert 0.9 < len(heard) / rate < 1.2
    begins = pieces[0][0] + np.flatnonzero(np.abs(heard) > 0.1)[0] / rate
    assert begins == pytest.approx(0.4, abs=0.04)
    with VideoWriter(tmp_path / "silent.mp4", 25, sound_of=tmp_path / "out.mp4") as video:
        video.write(np.zeros((48, 64, 3), np.uint8))


def test_bad_files_say_so(tmp_path):
    with pytest.raises(UserError, match="Cannot read"):
        VideoReader(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(UserError, match="Cannot read"):
        VideoReader(tmp_path / "text.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="Cannot read"):
        VideoReader(tmp_path / "empty.mp4")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(UserError, match="no video stream"):
        VideoReader(tmp_path / "sound.wav")
    with pytest.raises(UserError, match="Cannot write"):
        VideoWriter(tmp_path / "no" / "folder.mp4", 25)


def test_ten_bits_are_read_as_eight(tmp_path):
    with av.open(str(tmp_path / "ten.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (200, 90, 40), np.uint8), "rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p10le")))
        container.mux(stream.encode(None))
    with VideoReader(tmp_path / "ten.mp4") as video:
        ((image, _),) = video
        assert not video.hdr
    assert image.dtype == np.uint8 and np.abs(image.astype(int) - (200, 90, 40)).max() < 6


def test_frames_keep_their_times(tmp_path):
    """A recording whose rate varies stays in step with its sound."""
    times = [0.0, 0.04, 0.08, 0.20, 0.24, 1.0]
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for k, time_s in enumerate(times):
            writer.write(np.full((48, 64, 3), 40 * k, np.uint8), time_s)
    with VideoReader(tmp_path / "a.mp4") as video:
        assert [time_s for _, time_s in video] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])  # whose decoder just ends, and whose decoder fails
def test_a_file_that_breaks_off_says_how_much_was_read(tmp_path, caplog, name):
    rng = np.random.default_rng(0)
    whole, cut = tmp_path / name, tmp_path / f"cut-{name}"
    with av.open(str(whole), "w", options={"movflags": "faststart"} if name == "a.mp4" else {}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {"g": "12"}
        for k in range(50):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (64, 64, 3), np.uint8), "rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoReader(whole) as video:
        assert len(list(video)) == 50
    assert not caplog.records
    cut.write_bytes(whole.read_bytes()[: int(0.6 * whole.stat().st_size)])
    with VideoReader(cut) as video:
        read = len(list(video))
    assert 20 < read < 40
    assert f"{cut} breaks off: only its first {read / 25:.1f} s of 2.0 s were read." in caplog.text


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    writer = VideoWriter(tmp_path / "a.mp4", 25)
    monkeypatch.setattr(writer, "close", lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"), writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def shown_as(path, content: bytes, a: int, b: int, c: int, d: int) -> np.ndarray:
    """First frame of an MP4 whose display matrix asks for something."""
    changed = bytearray(content)
    place = changed.index(b"tkhd") + 44
    unit = 0x10000
    changed[place : place + 36] = struct.pack(">9i", a * unit, b * unit, 0, c * unit, d * unit, 0, 0, 0, 0x40000000)
    path.write_bytes(changed)
    with VideoReader(path) as video:
        return next(iter(video))[0]


def test_mirrored_and_transposed_as_players_show_it(tmp_path):
    """The matrix takes (x, y) to (a x + c y, b x + d y): all eight ways to turn and mirror."""
    image = np.zeros((48, 80, 3), np.uint8)
    image[:24, :40], image[24:, :40] = [250, 0, 0], [0, 0, 250]
    with VideoWriter(tmp_path / "flat.mp4", 25) as video:
        video.write(image)
    content = (tmp_path / "flat.mp4").read_bytes()
    expected = {
        (1, 0, 0, 1): image,
        (-1, 0, 0, 1): image[:, ::-1], (1, 0, 0, -1): image[::-1], (-1, 0, 0, -1): image[::-1, ::-1],
        (0, 1, 1, 0): image.swapaxes(0, 1), (0, 1, -1, 0): np.rot90(image, -1), (0, -1, 1, 0): np.rot90(image),
        (0, -1, -1, 0): np.rot90(image, 2).swapaxes(0, 1),
    }  # fmt: skip
    for matrix, upright in expected.items():
        shown = shown_as(tmp_path / "a.mp4", content, *matrix)
        assert shown.shape == upright.shape and shown.flags.c_contiguous, matrix
        assert np.abs(shown.astype(int) - upright).mean() < 12, matrix


def stream_file(path, start_s: float, frames: int = 5, codec: str = "libx264") -> None:
    """A file whose first frame has a time of its own, as recordings of streams have; ``.h264`` holds none."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        stream.options = {"tune": "zerolatency"}
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * k, np.uint8), "rgb24")
            frame.pts, frame.time_base = round(start_s * 25) + k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("name", "start_s"), [("late.ts", 100.0), ("late.mkv", 20.0), ("raw.h264", 0.0)])
def test_the_first_frame_is_at_zero_whatever_the_file_says(tmp_path, name, start_s):
    stream_file(tmp_path / name, start_s)
    with VideoReader(tmp_path / name) as video:
        for _ in range(2):  # it can be read again
            assert [t for _, t in video] == pytest.approx([k / 25 for k in range(5)], abs=1e-6)
        assert video.start_s == pytest.approx(start_s, abs=2)  # MPEG-TS adds a second and a half of its own


def test_a_still_is_a_video_of_one_frame(tmp_path):
    """A photo as telephones take it: its EXIF block says that it was held upright."""
    image = np.zeros((48, 80, 3), np.uint8)
    image[:24, :40] = [250, 0, 0]
    plain = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
    tag = struct.pack(">HHHIHH", 1, 0x112, 3, 1, 6, 0)  # orientation 6: turn clockwise
    block = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + tag + bytes(4)
    (tmp_path / "a.jpg").write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:])
    with VideoReader(tmp_path / "a.jpg") as video:
        for _ in range(2):
            ((shown, time_s),) = video
            assert time_s == 0 and shown.shape == (80, 48, 3)
            assert shown[10, 40, 0] > 200 and shown[10, 8, 0] < 50
