"""Encoded packets into a file that can be played up to its last fifth of a second, whenever writing stops."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from face.errors import UserError
from live.frames import SOUND_RATE
from live.recording.output_file import OutputFile
from live.streaming.media.codecs import CLOCK
from live.streaming.media.video_encoder import captured_s

_FRAGMENT_S = 0.2
_OPTIONS = {  # times are kept as they are: sound may begin, and both may pause, at any time
    "movflags": "empty_moov+default_base_moof+frag_discont", "avoid_negative_ts": "disabled", "flush_packets": "1",
    "frag_duration": str(round(_FRAGMENT_S * 1e6)), "max_interleave_delta": str(round(_FRAGMENT_S * 1e6)),
    "cluster_time_limit": str(round(_FRAGMENT_S * 1e3)),
}  # fmt: skip
_BUFFER = 1 << 20  # bytes, more than a fragment has: each is written at once, so that none is torn
_MP4 = ("movflags", "frag_duration")
_MKV = ("cluster_time_limit",)


class PacketMuxer:
    """Writes H.264 and Opus packets at their capture times.

    MP4 comes in fragments, Matroska in clusters: each is complete in itself. The first frame is at time 0, and a pause
    of the source keeps its length.

    Args:
        file: where to write.
        key: the first packet of video, a key frame in Annex B form; to be written, too.

    Raises:
        OSError: the disk is full, for example.
    """

    def __init__(self, file: OutputFile, key: av.Packet) -> None:
        self._begin_s, self._last = captured_s(key), {"video": -1, "audio": -1}
        self.duration_s = 0.0
        mp4 = file.path.suffix.lower() == ".mp4"
        options = {name: value for name, value in _OPTIONS.items() if name not in (_MKV if mp4 else _MP4)}
        self._container = av.open(file, "w", format="mp4" if mp4 else "matroska", options=options, buffer_size=_BUFFER)
        with _parsed(bytes(key)) as template:
            self.size = _size(template)
            self._video = self._container.add_stream_from_template(template, opaque=True)
        self._video.time_base = Fraction(1, CLOCK)
        self._sound: AudioStream = self._container.add_stream("libopus", rate=SOUND_RATE)
        self._sound.codec_context.format, self._sound.codec_context.layout = "s16", "stereo"
        self._container.start_encoding()

    def write_video(self, packet: av.Packet) -> None:
        """Write a frame.

        Raises:
            OSError: the disk is full, for example.
            UserError: the frames have another size from here on.
        """
        content = bytes(packet)
        if packet.is_keyframe:
            with _parsed(content) as template:
                if _size(template) != self.size:
                    raise UserError("The new target's images have another size.")
        self._write("video", self._video, content, packet, CLOCK)

    def write_sound(self, packet: av.Packet) -> None:
        """Write a piece of sound; what came before the first frame is left out.

        Raises:
            OSError: the disk is full, for example.
        """
        if captured_s(packet) >= self._begin_s:
            self._write("audio", self._sound, bytes(packet), packet, SOUND_RATE)

    def close(self) -> None:
        """Write what is held back.

        Raises:
            OSError: the disk is full, for example.
        """
        self._container.close()

    def _write(
        self, kind: str, stream: VideoStream | AudioStream, content: bytes, packet: av.Packet, clock: int
    ) -> None:
        copy = av.Packet(content)  # viewers are sent the packet, and muxing changes it
        self._last[kind] = max(self._last[kind] + 1, round((captured_s(packet) - self._begin_s) * clock))
        copy.pts = copy.dts = self._last[kind]
        copy.time_base, copy.stream, copy.is_keyframe = Fraction(1, clock), stream, packet.is_keyframe
        self._container.mux(copy)
        self.duration_s = max(self.duration_s, self._last[kind] / clock)


@contextlib.contextmanager
def _parsed(key: bytes) -> Iterator[VideoStream]:
    """A stream that describes a key frame."""
    with av.open(io.BytesIO(key), format="h264") as container:
        yield container.streams.video[0]


def _size(stream: VideoStream) -> tuple[int, int]:
    return stream.codec_context.width, stream.codec_context.height
