"""Files that are known by their content, and written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that nobody ever finds a part of it, not even after a crash or on a full disk."""
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_bytes(content)
    except OSError:
        partial.unlink(missing_ok=True)  # makes room again, where it was the disk
        raise
    partial.replace(path)
