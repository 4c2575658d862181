"""Frames out of video files and into them, for both sides."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from face.errors import UserError
from face.files import AtomicWrite

logger = logging.getLogger(__name__)

_CLOCK = 90_000  # ticks a second of written videos
_SLACK_S = 0.5  # by which a whole file may end before the time that it announces
_HDR_TRANSFERS = (16, 18)  # SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG), as FFmpeg numbers them


class VideoReader:
    """Decodes a video file.

    Attributes:
        rate: frames per second.
        frames: number of frames the file announces; 0 if it does not say.
        hdr: whether its brightness is coded for HDR screens (PQ or HLG).
        start_s: the file's own time of the first frame, once that was read; recordings of streams seldom begin at 0.

    Raises:
        UserError: the file is missing, unreadable or has no video stream.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._decoding = path, False
        self._open()
        self.rate = float(self._stream.average_rate or 25)
        self.frames = self._stream.frames
        self.hdr = self._stream.codec_context.color_trc in _HDR_TRANSFERS
        self.start_s = 0.0

    def _open(self) -> None:
        try:
            self._container = av.open(str(self._path))
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"Cannot read the video {self._path}: {error.strerror or error}.") from None
        if not self._container.streams.video:
            self._container.close()
            raise UserError(f"{self._path} has no video stream: give a video file.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        """Each frame ``[H, W, 3]`` uint8 RGB as players show it, and its time in seconds; the first frame's is 0.

        A file that breaks off ends there, with a warning.
        """
        if self._decoding:  # once more: not every file can be rewound
            self.close()
            self._open()
        self._decoding = True
        decoded, latest_s, broken = 0, 0.0, False
        try:
            for frame in self._container.decode(self._stream):
                if not decoded:
                    self.start_s = float(frame.time or 0.0)
                time_s = decoded / self.rate if frame.time is None else float(frame.time) - self.start_s
                decoded, latest_s = decoded + 1, max(latest_s, time_s)
                yield np.ascontiguousarray(_upright(frame.to_ndarray(format="rgb24"), frame)), time_s
        except av.FFmpegError as error:
            if not decoded:
                raise UserError(f"Cannot decode the video {self._path}: {error.strerror}.") from None
            broken = True
        if not decoded:
            raise UserError(f"{self._path} holds no frame.")
        read_s, announced_s = latest_s + 1 / self.rate, self._duration_s
        if broken or read_s < announced_s - _SLACK_S:
            logger.warning(
                "%s breaks off: only its first %.1f s%s were read.", self._path, read_s,
                f" of {announced_s:.1f} s" if announced_s > read_s else "",
            )  # fmt: skip

    @property
    def _duration_s(self) -> float:
        """How long the file says that it lasts; 0 if it does not say."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return (self._container.duration or 0) / av.time_base

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:  # [H, W, 3]
    """A decoded image turned and mirrored as its file asks: a telephone held upright, a selfie camera.

    The display matrix maps a source pixel ``(x, y)`` to ``(a x + c y, b x + d y)``. Only multiples of 90 degrees and
    mirrors are heeded, as by players.
    """
    try:
        data: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # beside it stands what PyAV has no name for, as in photos: it tells the rotation alone
        return np.rot90(image, frame.rotation // 90)
    if data is None:
        return image
    (a, b, _), (c, d, _), _ = np.frombuffer(data, np.int32).reshape(3, 3)
    if abs(b) > abs(a):
        image, to_right, down = image.swapaxes(0, 1), c, b
    else:
        to_right, down = a, d
    return image[:: -1 if down < 0 else 1, :: -1 if to_right < 0 else 1]


class VideoWriter:
    """Encodes frames to an H.264 file; the file appears under its name only when it is complete.

    Args:
        path: ends in a container's suffix, e.g. ``.mp4``.
        rate: frames per second.
        quality: x264's constant rate factor, lower is better.
        sound_of: a file whose sound, if it has any, goes along with the frames.

    Raises:
        UserError: the file cannot be written, or ``sound_of`` not read.
    """

    def __init__(self, path: Path, rate: float, quality: int = 16, sound_of: Path | None = None) -> None:
        try:
            self._file = AtomicWrite(path)
        except OSError as error:
            raise UserError(f"Cannot write {path}: {error.strerror}.") from None
        try:
            self._container = av.open(str(self._file.partial), "w")
        except (av.FFmpegError, OSError, ValueError) as error:
            self._file.discard()
            raise UserError(f"Cannot write {path}: {error}.") from None
        self._rate = Fraction(rate).limit_denominator(1001)
        self._quality = quality
        self._stream: av.VideoStream | None = None
        self._written = 0
        self._sound: _Sound | None = None
        if sound_of is not None:
            try:
                self._sound = _Sound(sound_of, self._container)
            except UserError:
                self.abort()
                raise

    def write(self, image: np.ndarray, time_s: float | None = None) -> None:  # [H, W, 3] uint8 RGB, even sizes
        """Append a frame, shown from ``time_s`` on, which must come after the last one's; evenly by default."""
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._rate)
            self._stream.height, self._stream.width = image.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _CLOCK)
            self._stream.options = {"crf": str(self._quality), "preset": "medium"}
        if time_s is None:
            time_s = self._written / float(self._rate)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        frame.pts, frame.time_base = round(time_s * _CLOCK), Fraction(1, _CLOCK)
        self._container.mux(self._stream.encode(frame))
        self._written += 1
        if self._sound is not None:
            self._sound.write(until_s=time_s + 1 / float(self._rate))

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
            if self._sound is not None:
                self._sound.close()
        self._container.close()
        if self._stream is None:
            self._file.discard()
        else:
            self._file.commit()

    def abort(self) -> None:
        """Drop what was written."""
        with contextlib.suppress(av.FFmpegError):  # a full disk does not take the end either
            self._container.close()
        self._file.discard()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
            return
        try:
            self.close()
        except OSError:  # the disk is full
            self.abort()
            raise


class _Sound:
    """A file's sound on its way into a container, in step with the frames."""

    def __init__(self, path: Path, container: av.container.OutputContainer) -> None:
        try:
            self._source = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"Cannot read the sound of {path}: {error.strerror or error}.") from None
        self._container = container
        video = next(iter(self._source.streams.video), None)
        self._start_s = float((video.start_time or 0) * (video.time_base or 0)) if video is not None else 0.0
        self._frames: Iterator[av.AudioFrame] = iter(())
        if self._source.streams.audio:
            audio = self._source.streams.audio[0]
            self._stream = container.add_stream("aac", rate=audio.rate)
            self._frames = self._source.decode(audio)

    def write(self, until_s: float) -> None:
        """Take over the sound up to a time."""
        for frame in self._frames:
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(self._start_s / frame.time_base)
                if frame.pts < 0:  # before the first frame
                    continue
            self._container.mux(self._stream.encode(frame))
            if frame.time is not None and frame.time >= until_s:
                return

    def close(self) -> None:
        """Finish the sound, which ends with the frames."""
        if self._source.streams.audio:
            self._container.mux(self._stream.encode(None))
        self._source.close()
