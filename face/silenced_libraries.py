"""Libraries that write past Python, straight to the process's standard output or error."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

# A descriptor is the whole process's: two blocks at once would take each other's silence for what is to be put back.
_LOCK = threading.RLock()


@contextlib.contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Drop what the whole process writes to a file descriptor: 1 is standard output, 2 standard error.

    Blocks of several threads run one after the other.
    """
    with _LOCK:
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
