"""A webcam."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from face.errors import UserError
from live.frames import Frame
from live.sources.source import Emit


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


def cameras() -> list[int]:
    """Indices of webcams that may be there (Linux: without opening them)."""
    if sys.platform.startswith("linux"):
        return sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdigit())
    capture = cv2.VideoCapture(0)
    found = capture.isOpened()
    capture.release()
    return [0] if found else []
