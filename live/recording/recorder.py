"""Records a session: takes the packets that its viewers are sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av

from face.errors import UserError
from live.recording.crash_safe_muxer import PacketMuxer
from live.recording.output_file import OutputFile
from live.streaming.media.codecs import Codec
from live.streaming.session import Session

_KEYFRAME_S = 4.0  # between two at most: players jump from one to the next
_MOST_WAITING = 1000  # packets, about 15 s, while the disk does not answer
logger = logging.getLogger(__name__)


class _Tap:
    """Takes the packets of one kind from where they are handed out."""

    def __init__(self, kind: str, packets: queue.Queue[tuple[str, av.Packet] | None]) -> None:
        self._kind, self._packets, self._behind = kind, packets, True

    def push(self, packet: av.Packet) -> bool:
        """Take a packet, never blocking; ``False`` where some were lost and a key frame is needed."""
        self._behind = self._behind and not packet.is_keyframe
        if self._behind:
            return False
        try:
            self._packets.put_nowait((self._kind, packet))
        except queue.Full:
            self._behind = True
        return not self._behind


class Recorder:
    """Writes a session to a file on a thread of its own; made, and closed, on the session's event loop.

    The session goes on if recording fails: what was written until then stays.

    Args:
        session: what to record.
        file: where to.
        ended: called on the thread when recording has ended, with why in a sentence if it failed.
    """

    def __init__(
        self, session: Session, file: OutputFile, ended: Callable[[str | None], None] = lambda _: None
    ) -> None:
        self._session, self._file, self._ended = session, file, ended
        self._loop = asyncio.get_running_loop()
        self._packets: queue.Queue[tuple[str, av.Packet] | None] = queue.Queue(_MOST_WAITING)
        self._video, self._sound = _Tap("video", self._packets), _Tap("sound", self._packets)
        self._encoder = session.encoder(Codec.H264)
        self._muxer: PacketMuxer | None = None
        self._key_s = 0.0  # when the last key frame came
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._thread.start()
        print(f"recording to {self.path}", flush=True)
        self._encoder.attach(self._video)
        session.sound.attach(self._sound)

    @property
    def active(self) -> bool:
        """Whether it still records."""
        return self._thread.is_alive()

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def duration_s(self) -> float:
        """How long the recording is so far."""
        return self._muxer.duration_s if self._muxer else 0.0

    @property
    def size(self) -> int:
        """How many bytes were written so far."""
        return self._file.size

    async def close(self) -> None:
        """Finish the file."""
        self._detach()
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        with contextlib.suppress(queue.Full):
            self._packets.put(None, timeout=5)
        self._thread.join(timeout=5)

    def _detach(self) -> None:
        self._encoder.detach(self._video)
        self._session.sound.detach(self._sound)

    def _run(self) -> None:
        try:
            self._write_all()
            if self._muxer is not None:
                self._muxer.close()
        except Exception as error:
            reason = self._file.failure or (str(error) if isinstance(error, UserError) else repr(error))
            self.failure = f"The recording {self.path} ended after {self.duration_s:.1f} s: {reason.rstrip('.')}."
            logger.warning("%s What was recorded is kept.", self.failure)
            with contextlib.suppress(RuntimeError):  # the event loop has closed: the program is ending
                self._loop.call_soon_threadsafe(self._detach)
            self._abandon()
        finally:
            self._file.close()
            if self.failure is None:
                print(f"recorded {self.path}: {self.duration_s:.1f} s, {self.size / 1e6:.1f} MB", flush=True)
            self._ended(self.failure)

    def _abandon(self) -> None:
        if self._muxer is not None:
            with contextlib.suppress(OSError, av.FFmpegError):  # it can write nothing more: the file stays as it is
                self._muxer.close()

    def _write_all(self) -> None:
        while (item := self._packets.get()) is not None:
            kind, packet = item
            if kind == "video":
                self._write_frame(packet)
            elif self._muxer is not None:
                self._muxer.write_sound(packet)

    def _write_frame(self, packet: av.Packet) -> None:
        now = time.monotonic()
        if packet.is_keyframe:
            self._key_s = now
        elif now - self._key_s > _KEYFRAME_S:
            self._key_s = now
            self._encoder.request_keyframe()
        if self._muxer is None:
            self._muxer = PacketMuxer(self._file, packet)
        self._muxer.write_video(packet)
