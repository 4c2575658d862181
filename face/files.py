"""Files that are known by their content, and written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path to write to, whose file takes the place of ``path`` once the block ends, or is removed if it raises.

    Nobody ever finds a part of the file, not even after a crash or on a full disk. The path has the name and ending of
    ``path``, in a hidden folder beside it: no search of the folder finds it, and a writer's own permissions stay.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".", suffix=".part") as folder:
        partial = Path(folder) / path.name
        yield partial
        _sync(partial)  # or a power cut could leave the new name with no content
        partial.replace(path)
    if hasattr(os, "O_DIRECTORY"):  # Windows has no folders to sync
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Have the disk hold a file, or a folder's entries, for good."""
    # Windows syncs only what is open for writing.
    descriptor = os.open(path, os.O_RDONLY if hasattr(os, "O_DIRECTORY") else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically."""
    with atomic(path) as partial:
        partial.write_bytes(content)
