"""Frames at a steady rate, for readers that know no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import cv2
import numpy as np

from live.frames import Generated
from live.mailbox import Closed, Mailbox

RATE = 25  # frames a second


class SteadyOutput:
    """Hands the newest frame on 25 times a second, on a thread of its own, from the first frame to ``close``.

    Args:
        write: gets an image ``[H, W, 3]`` uint8 RGB, contiguous, always of the first one's size; it may wait.
        failed: told on the thread why ``write`` failed; nothing is handed on afterwards.
    """

    def __init__(self, write: Callable[[np.ndarray], None], failed: Callable[[Exception], None]) -> None:
        self._write, self._failed = write, failed
        self._waiting: Mailbox[Generated] = Mailbox()
        self._thread = threading.Thread(target=self._guarded, name="steady output", daemon=True)
        self._thread.start()

    def put(self, generated: Generated) -> None:
        """Hand this on at the next tick, unless a newer one comes first; never blocks."""
        try:
            self._waiting.put(generated)
        except Closed:
            pass

    def close(self) -> None:
        """Hand nothing on any more."""
        self._waiting.close()
        self._thread.join(timeout=2)  # a reader that does not read is not waited for

    def _guarded(self) -> None:
        try:
            self._hand_on()
        except Closed:
            return
        except Exception as error:
            self._waiting.close()
            self._failed(error)

    def _hand_on(self) -> None:
        image = np.ascontiguousarray(self._waiting.take().image)
        height, width = image.shape[:2]
        due_s = time.monotonic()
        while True:
            self._write(image)
            due_s = max(due_s + 1 / RATE, time.monotonic() - 1)  # what a slow reader missed by more is left out
            while (left_s := due_s - time.monotonic()) > 0:
                try:
                    image = np.ascontiguousarray(self._waiting.take(left_s).image)
                except TimeoutError:
                    break
            if image.shape[:2] != (height, width):  # another target
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
