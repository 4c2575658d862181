"""A video file as a source."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from face.video import VideoReader
from live.frames import Frame, Sound
from live.sources.sound_file import read_sound
from live.sources.source import Emit

DEMO_CLIP = Path(__file__).with_name("studio_noor.mp4")
_SOUND_AHEAD_S = 0.4  # sound is handed on this much early, and held until it is due: hold-ups do not make it late


class FileSource:
    """A video file at its own rate, with its sound where it is paced.

    Args:
        path: the video.
        loop: start over at its end.
        paced: wait for each frame's time; otherwise deliver as fast as they are taken.
        name: what to call it; the file's name by default.
    """

    def __init__(self, path: Path, loop: bool = True, paced: bool = True, name: str | None = None) -> None:
        with VideoReader(path) as video:  # fail before anything starts
            next(iter(video))
        self.name = name or path.name
        self._path, self._loop, self._paced = path, loop, paced

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver the file's frames."""
        number = 0
        begin = time.monotonic()
        offset_s = 0.0
        while True:
            sounds = read_sound(self._path) if self._paced else iter(())
            sound = next(sounds, None)
            with VideoReader(self._path) as video:
                time_s = 0.0
                for image, time_s in video:
                    due = begin + offset_s + time_s
                    while sound is not None and sound[1] <= time_s + _SOUND_AHEAD_S:
                        sounded_s = begin + offset_s + sound[1]
                        if sounded_s >= time.monotonic():  # late sound would come in a heap, which browsers hold on to
                            emit(Sound(sound[0], sounded_s))
                        sound = next(sounds, None)
                    if self._paced and stop.wait(max(0.0, due - time.monotonic())):
                        return
                    if stop.is_set():
                        return
                    emit(Frame(image, due if self._paced else time.monotonic(), number))
                    number += 1
                offset_s += time_s + 1 / video.rate
            if not self._loop:
                return
