"""Files that are known by their content, and written whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from face.errors import UserError

_HIDDEN = ".part"  # ending of the hidden folders


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class AtomicWrite:
    """A file, or a folder of files, in the making; for a ``with`` block that writes one, there is ``atomic``.

    Nobody ever finds a part of it, not even after a crash or on a full disk.

    Args:
        path: where it goes, in place of what is there.

    Attributes:
        partial: what to write. It has the name and ending of ``path``, in a hidden folder beside it: no search of the
            folder finds it, and a writer's own permissions stay.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hidden = tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=_HIDDEN)
        self.partial = Path(self._hidden.name) / path.name

    def commit(self) -> None:
        """Put what was written in its place."""
        for written in (self.partial, *self.partial.rglob("*")):
            _sync(written)  # or a power cut could leave the new name with no content
        if self.partial.is_dir() and self._path.exists():  # no system puts a folder in the place of a full one
            self._path.rename(Path(self._hidden.name) / "old")
        self.partial.replace(self._path)
        _sync(self._path.parent)
        self._hidden.cleanup()

    def discard(self) -> None:
        """Remove what was written; after ``commit`` there is nothing to remove."""
        self._hidden.cleanup()


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path to write to, whose file takes the place of ``path`` once the block ends, or is removed if it raises."""
    write = AtomicWrite(path)
    try:
        yield write.partial
        write.commit()
    finally:
        write.discard()


def remove_partial(path: Path) -> None:
    """Remove what processes that were killed have left of a file or folder in the making."""
    for hidden in path.parent.glob(f".{glob.escape(path.name)}.*{_HIDDEN}"):
        shutil.rmtree(hidden, ignore_errors=True)


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before the work that it is for.

    Raises:
        UserError: it, or the nearest folder above it that exists, is a file or cannot be written to.
    """
    existing = folder.absolute()
    while not os.path.exists(existing):  # Path.exists raises below a folder that may not be entered
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise UserError(f"Cannot write to {folder} ({existing}: {error.strerror}): give another folder.") from None


def check_output_file(path: Path) -> None:
    """Refuse a file that cannot be written, before the work that it is for.

    Raises:
        UserError: it is a folder, or its folder is not there or cannot be written to.
    """
    if os.path.isdir(path):
        raise UserError(f"Cannot write {path}, which is a folder: give a file's name.")
    if not os.path.exists(path.parent):
        raise UserError(f"Cannot write {path}: there is no folder {path.parent}.")
    check_output_folder(path.parent)


def _sync(path: Path) -> None:
    """Have the disk hold a file, or a folder's entries, for good."""
    windows = not hasattr(os, "O_DIRECTORY")  # has no folders to sync, and syncs only what is open for writing
    if windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically."""
    with atomic(path) as partial:
        partial.write_bytes(content)
