"""A video file as a source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from face.video import VideoReader
from live.frames import Frame, Sound
from live.sources.sound_file import read_sound
from live.sources.source import Emit

DEMO_CLIP = Path(__file__).with_name("studio_noor.mp4")
_JUMP_S = 1.0  # by which a file's times may go on from one frame to the next: more is a new beginning
_LATE_S = 0.5  # a machine that decodes too slowly plays the rest later, rather than ever later
_SOUND_AHEAD_S = 0.4  # sound is handed on this much early, and held until it is due: hold-ups do not make it late


class FileSource:
    """A video file at its own rate, with its sound where it is paced.

    Args:
        path: the video.
        loop: start over at its end.
        paced: wait for each frame's time; otherwise deliver as fast as they are taken.
        name: what to call it; the file's name by default.
        clock: the monotonic clock in seconds.
    """

    def __init__(
        self, path: Path, loop: bool = True, paced: bool = True, name: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        with VideoReader(path) as video:  # fail before anything starts
            next(iter(video))
        self.name = name or path.name
        self._path, self._loop, self._paced, self._clock = path, loop, paced, clock

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver the file's frames."""
        number = 0
        timeline: _Timeline | None = None
        while not stop.is_set():
            sound: _SoundTrack | None = None
            with VideoReader(self._path) as video:
                for image, time_s in video:
                    if self._paced and sound is None:
                        sound = _SoundTrack(self._path, video.start_s, emit, self._clock)
                    timeline = timeline or _Timeline(self._clock(), 1 / video.rate)
                    due_s, jumped = timeline.due(time_s)
                    if sound is not None:
                        if (late_s := self._clock() - due_s) > _LATE_S:
                            timeline.put_off(late_s)
                            due_s += late_s
                        if jumped:
                            sound.seek(time_s)
                        sound.play(time_s + _SOUND_AHEAD_S, due_s - time_s)
                        stop.wait(max(0.0, due_s - self._clock()))
                    if stop.is_set():
                        return
                    emit(Frame(image, due_s if self._paced else self._clock(), number))
                    number += 1
            if not self._loop:
                return


class _Timeline:
    """When the frames of a file are due, one play after the other.

    Args:
        begin_s: when the first is.
        interval_s: how long a frame is shown.
    """

    def __init__(self, begin_s: float, interval_s: float) -> None:
        self._interval_s = interval_s
        self._jump_s = max(_JUMP_S, 2 * interval_s)
        self._next_s = begin_s  # when the next is due if it follows evenly
        self._last_s: float | None = None  # the last frame's time in the file

    def due(self, time_s: float) -> tuple[float, bool]:
        """When the frame of a time in the file is due, and whether the file's times jump to it."""
        step_s = self._interval_s if self._last_s is None else time_s - self._last_s
        self._last_s = time_s
        jumped = not 0 <= step_s < self._jump_s
        due_s = self._next_s if jumped else self._next_s - self._interval_s + step_s
        self._next_s = due_s + self._interval_s
        return due_s, jumped

    def put_off(self, seconds: float) -> None:
        """Play everything that follows so much later."""
        self._next_s += seconds


class _SoundTrack:
    """A file's sound, beside its frames.

    Args:
        path: the video.
        start_s: the file's own time of its first frame.
        emit: where the sound goes.
        clock: the source's.
    """

    def __init__(self, path: Path, start_s: float, emit: Emit, clock: Callable[[], float]) -> None:
        self._emit, self._clock = emit, clock
        self._pieces = read_sound(path, start_s)
        self._next = next((piece for piece in self._pieces if piece[1] >= 0), None)

    def seek(self, time_s: float) -> None:
        """Go on where the frames do, at a time in the file: what lies before is passed over."""
        while self._next is not None and not -_JUMP_S < self._next[1] - time_s < _JUMP_S:
            self._next = next(self._pieces, None)

    def play(self, until_s: float, origin_s: float) -> None:
        """Hand on what comes before a time in the file, whose time 0 was at ``origin_s``.

        What lies far before it comes after a jump back that the frames have not reached.
        """
        while self._next is not None and until_s - 2 * _JUMP_S < self._next[1] <= until_s:
            samples, time_s = self._next
            if origin_s + time_s >= self._clock():  # late sound would come in a heap, which browsers hold on to
                self._emit(Sound(samples, origin_s + time_s))
            self._next = next(self._pieces, None)
