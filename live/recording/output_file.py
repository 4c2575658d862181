"""The file of a recording: held by one process, and only ever appended to."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from face.errors import UserError

SUFFIXES = (".mp4", ".mkv")


def check_output(path: Path, overwrite: bool) -> None:
    """See that a recording can be written, before anything is loaded.

    Raises:
        UserError: it cannot, or there is such a file and it is not to be overwritten.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"Cannot record to {path}: give a name that ends in .mp4 or .mkv.")
    if path.is_dir():
        raise UserError(f"Cannot record to {path}: it is a folder.")
    if not path.parent.is_dir():
        raise UserError(f"Cannot record to {path}: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"Cannot record to {path}: the folder {path.parent} cannot be written to.")
    if path.exists() and not overwrite:
        raise UserError(f"There is a file {path}: give another name with --output, or add --overwrite.")


class OutputFile:
    """A new file, locked for this process; what it replaces is cleared with the first bytes.

    Bytes go to the system at once, and none is ever changed: what was written survives the process.
    It has no ``seek``, so that a muxer takes it for a stream.

    Args:
        path: where to write.
        overwrite: replace a file that is there.

    Raises:
        UserError: it cannot be written, or another process records to it.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        check_output(path, overwrite)
        self.path, self.size = path, 0  # size in bytes
        self._failure: OSError | None = None
        try:
            self._file = path.open("ab" if overwrite else "xb", buffering=0)
        except OSError as error:
            raise UserError(f"Cannot record to {path}: {error.strerror}.") from None
        if not _lock(self._file.fileno()):
            self._file.close()
            raise UserError(f"Another process records to {path}: give another name with --output.")

    def write(self, data: bytes) -> int:
        """Append all of ``data``, or nothing; after a failure nothing is written any more.

        Raises:
            OSError: the disk is full, for example.
        """
        if self._failure is not None:
            raise self._failure
        try:
            if self.size == 0:
                self._file.truncate(0)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._failure = error
            self._file.truncate(self.size)  # a part would break the film's end
            raise
        self.size += len(data)
        return len(data)

    @property
    def failure(self) -> str | None:
        """Why no more can be written, in words."""
        if self._failure is None:
            return None
        full = self._failure.errno in (errno.ENOSPC, errno.EDQUOT)
        return "the disk is full" if full else str(self._failure.strerror or self._failure)

    def close(self) -> None:
        """Give the file up; one that nothing was written to is removed if it is empty."""
        if self._file.closed:
            return
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())
        if os.fstat(self._file.fileno()).st_size == 0:
            self.path.unlink(missing_ok=True)
        self._file.close()


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:  # a file that is open for writing cannot be replaced there
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
