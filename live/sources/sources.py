"""Where frames come from: a webcam, a video file, the browser's camera."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2

from face.errors import UserError
from face.video import VideoReader
from live.frames import Frame, Sound
from live.sources.sound_file import read_sound

DEMO_CLIP = Path(__file__).with_name("studio_noor.mp4")
Emit = Callable[[Frame | Sound], None]
_SOUND_AHEAD_S = 0.4  # sound is handed on this much early, and held until it is due: hold-ups do not make it late


class Source(Protocol):
    """Delivers frames, and sound if it has any, on a thread of its own until it is told to stop."""

    name: str

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver what there is; returns when ``stop`` is set or there are no more."""
        ...


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


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV writes half a page about a camera that is not there; our one sentence says it."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


class CameraSource:
    """A webcam.

    Raises:
        UserError: there is no such camera or it gives no picture.
    """

    def __init__(self, index: int) -> None:
        self.name = f"camera {index}"
        with _quiet_opencv():
            self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened() or not self._capture.read()[0]:
            self._capture.release()
            raise UserError(f"There is no camera {index} that gives a picture: try --source demo, or a video file.")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver the camera's frames; the camera is free again afterwards."""
        number = 0
        try:
            while not stop.is_set():
                read, image = self._capture.read()
                if not read:
                    raise UserError(f"The {self.name} stopped giving pictures: plug it in again and restart.")
                emit(Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), time.monotonic(), number))
                number += 1
        finally:  # a loop that stops ends this by an exception, from where frames are handed over
            self._capture.release()


class NoSource:
    """Waits for the browser's camera."""

    name = "none yet: waiting for the browser's camera"

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver nothing."""
        stop.wait()


def cameras() -> list[int]:
    """Indices of webcams that may be there (Linux: without opening them)."""
    if sys.platform.startswith("linux"):
        return sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdigit())
    capture = cv2.VideoCapture(0)
    found = capture.isOpened()
    capture.release()
    return [0] if found else []


def open_source(text: str, paced: bool = True, loop: bool = True) -> Source:
    """Source named on the command line: ``auto``, ``camera:N``, ``browser``, ``demo`` or a file.

    Raises:
        UserError: it cannot be opened.
    """
    if text == "auto":
        for index in cameras():
            try:
                return CameraSource(index)
            except UserError:
                continue
        return FileSource(DEMO_CLIP, loop, paced, f"no webcam found, so the demo clip {DEMO_CLIP.name}")
    if text.startswith("camera:"):
        if not text[7:].isdigit():
            raise UserError(f"'{text}' names no camera: write camera:0 for the first.")
        return CameraSource(int(text[7:]))
    if text == "browser":
        return NoSource()
    if text == "demo":
        return FileSource(DEMO_CLIP, loop, paced, f"the demo clip {DEMO_CLIP.name}")
    if not Path(text).exists():
        raise UserError(f"There is no video {text}: give a file, camera:N, browser or demo.")
    return FileSource(Path(text), loop, paced)
