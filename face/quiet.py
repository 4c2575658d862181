"""Libraries that write past Python, straight to the process's standard output or error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Drop what the whole process writes to a file descriptor: 1 is standard output, 2 standard error."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept, nothing = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nothing)
