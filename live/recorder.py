"""Records what is sent to a file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from face.errors import UserError
from face.video import VideoWriter
from live.frames import Generated
from live.mailbox import Closed, Mailbox

_RATE = 25.0


def check_output(path: Path, overwrite: bool) -> None:
    """See that a recording can be written, before anything is loaded.

    Raises:
        UserError: it cannot, or there is such a file and it is not to be overwritten.
    """
    if path.suffix.lower() not in (".mp4", ".mkv", ".mov"):
        raise UserError(f"Cannot record to {path}: give a name that ends in .mp4, .mkv or .mov.")
    if path.is_dir():
        raise UserError(f"Cannot record to {path}: it is a folder.")
    if not path.parent.is_dir():
        raise UserError(f"Cannot record to {path}: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"Cannot record to {path}: the folder {path.parent} cannot be written to.")
    if path.exists() and not overwrite:
        raise UserError(f"There is a file {path}: give another name with --output, or add --overwrite.")


class Recorder:
    """Writes the images to a video on a thread of its own; repeats or skips so that the file keeps real time.

    Args:
        path: the video, which passes ``check_output``.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._writer = VideoWriter(path, _RATE)
        self._waiting: Mailbox[Generated] = Mailbox()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._guarded, name="record")
        self._thread.start()

    def put(self, generated: Generated) -> None:
        """Have an image written at its time; does not wait for it."""
        self._waiting.put(generated)

    def close(self) -> None:
        """Finish the file.

        Raises:
            UserError: it could not be written to its end; what there was of it is gone.
        """
        self._waiting.close()
        self._thread.join()
        if self._error is None:
            self._writer.close()
        else:
            self._writer.abort()
            raise UserError(f"The recording failed ({self._error}): is the disk full?") from self._error

    def _guarded(self) -> None:
        try:
            self._write()
        except Exception as error:  # the next image ends the loop, and close() says why
            self._error = error
            self._waiting.close()

    def _write(self) -> None:
        begin_s: float | None = None
        written = 0
        while True:
            try:
                generated = self._waiting.take()
            except Closed:
                return
            if begin_s is None:
                begin_s = generated.captured_s
            due = round((generated.captured_s - begin_s) * _RATE) + 1
            for _ in range(min(due - written, 250)):
                self._writer.write(generated.image)
            written = max(due, written)
