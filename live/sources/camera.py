"""Webcams: found, opened in their fastest format, and waited for when they go."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from face.errors import UserError
from live.frames import Frame, SourceGone
from live.sources.source import Emit

_FAST_ENOUGH_FPS = 25.0  # below it, a faster format is looked for
_RETRY_S = 1.0  # between tries to open a camera that has gone
_FOURCCS, _SIZES = ("YUYV", "MJPG"), ((640, 480), (1280, 720), (1920, 1080))  # asked for when formats are listed
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")  # seconds that a read waits for an image, else 10
_DEVICES, _NAMES = Path("/dev"), Path("/sys/class/video4linux")  # Linux


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    """What is asked of a camera; it gives what comes nearest.

    Attributes:
        size: width and height in px; ``None`` for the camera's default.
        fps: frames per second; ``None`` for the camera's default.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None


class CameraSource:
    """A webcam.

    Args:
        index: which, as the system counts.
        settings: what is asked of it.

    Raises:
        UserError: there is no such camera or it gives no image.
    """

    def __init__(self, index: int, settings: CameraSettings | None = None) -> None:
        self.name = f"camera {index}"
        self._index, self._settings = index, settings or CameraSettings()
        self._capture, _ = self._open()

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver the camera's frames; the camera is free again afterwards.

        A camera that stops giving images is opened anew, every second until it is back.
        """
        number = 0
        try:
            while not stop.is_set():
                read, image = self._capture.read()
                if not read:
                    image = self._reopen(emit, stop)
                if image is None:
                    return
                emit(Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), time.monotonic(), number))
                number += 1
        finally:  # a loop that stops ends this by an exception, from where frames are handed over
            self._capture.release()

    def _open(self) -> tuple[cv2.VideoCapture, np.ndarray]:
        """The camera, and its first image ``[H, W, 3]`` uint8 BGR."""
        with _quiet_opencv():
            capture = cv2.VideoCapture(self._index)
            if capture.isOpened():
                choose_format(capture, self._settings)
                capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
                read, image = capture.read()
                if read:
                    return capture, image
        capture.release()
        raise UserError(f"There is no {self.name} that gives an image: see --source list, or try --source demo.")

    def _reopen(self, emit: Emit, stop: threading.Event) -> np.ndarray | None:
        """The first image of the camera once it is back; ``None`` if the source is to stop before."""
        self._capture.release()
        while not stop.is_set():
            try:
                self._capture, image = self._open()
                return image
            except UserError:
                emit(SourceGone(f"The {self.name} is gone: plug it in again."))
                stop.wait(_RETRY_S)
        return None


def choose_format(capture: cv2.VideoCapture, settings: CameraSettings) -> None:
    """Set a camera's size and rate, and have it compress where it is too slow otherwise.

    By USB 2 a camera gives uncompressed 1280×720 (YUYV) at 10 frames per second, and MJPEG at 30.
    """
    enough_fps = settings.fps or _FAST_ENOUGH_FPS
    fps, default = _ask(capture, settings), int(capture.get(cv2.CAP_PROP_FOURCC))
    if 0 < fps < enough_fps and _ask(capture, settings, cv2.VideoWriter.fourcc(*"MJPG")) <= fps:
        _ask(capture, settings, default)


def _ask(capture: cv2.VideoCapture, settings: CameraSettings, fourcc: int | None = None) -> float:
    """Ask for a format; the rate that the camera promises, 0 if it does not say."""
    if fourcc is not None:
        capture.set(cv2.CAP_PROP_FOURCC, fourcc)
    if settings.size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.size[1])
    if settings.fps is not None:
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
    return capture.get(cv2.CAP_PROP_FPS)


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV writes half a page about a camera that is not there; our one sentence says it."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def cameras() -> list[int]:
    """Indices of webcams that may be there (Linux: without opening them)."""
    if sys.platform.startswith("linux"):
        return sorted(int(p.name[5:]) for p in _DEVICES.glob("video*") if p.name[5:].isdigit())
    with _quiet_opencv():
        capture = cv2.VideoCapture(0)
        opened = capture.isOpened()
        capture.release()
    return [0] if opened else []


def describe_cameras() -> list[str]:
    """A line for each camera: its source name, its own name, and the sizes and rates of each format."""
    lines = []
    for index in cameras():
        with _quiet_opencv():
            capture = cv2.VideoCapture(index)
            formats = _formats(capture) if capture.isOpened() else []
            capture.release()
        if formats:  # of a webcam's several devices only one gives images
            lines.append(f"camera:{index}  {_name(index)}: {', '.join(formats)}")
    return lines


def _formats(capture: cv2.VideoCapture) -> list[str]:
    """Which of the usual formats a camera takes, and at what rate."""
    formats = []
    for fourcc in _FOURCCS:
        for size in _SIZES:
            fps = _ask(capture, CameraSettings(size=size), cv2.VideoWriter.fourcc(*fourcc))
            taken = (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            if taken == size and int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*fourcc):
                formats.append(f"{fourcc} {size[0]}x{size[1]} at {fps:.0f} fps")
    return formats


def _name(index: int) -> str:
    """What a camera calls itself, where the system tells."""
    try:
        return (_NAMES / f"video{index}" / "name").read_text().strip()
    except OSError:
        return "webcam"
