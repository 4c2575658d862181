"""Records what is sent to a file."""

from __future__ import annotations

from pathlib import Path

from face.errors import FaceError
from face.video import VideoWriter
from live.frames import Generated

_RATE = 25.0


class Recorder:
    """Writes every picture to an MP4; repeats or skips so that the file keeps real time.

    Raises:
        FaceError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in (".mp4", ".mkv", ".mov"):
            raise FaceError(f"Cannot record to {path}: give a name that ends in .mp4, .mkv or .mov.")
        if not path.parent.is_dir():
            raise FaceError(f"Cannot record to {path}: there is no folder {path.parent}.")
        self._writer = VideoWriter(path, _RATE)
        self._begin_s: float | None = None
        self._written = 0

    def put(self, generated: Generated) -> None:
        """Append a picture at its time."""
        if self._begin_s is None:
            self._begin_s = generated.captured_s
        due = round((generated.captured_s - self._begin_s) * _RATE) + 1
        for _ in range(min(due - self._written, 250)):
            self._writer.write(generated.image)
        self._written = max(due, self._written)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
