"""Silence is for a block, however many threads ask for it."""

from __future__ import annotations

import os
import threading

import pytest

from face.silenced_libraries import silenced
from face.tracking import FaceTracker

pytestmark = pytest.mark.fast


def place(descriptor: int) -> tuple[int, int]:
    """What a descriptor leads to."""
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def test_what_is_written_in_the_block_is_dropped_and_after_it_is_not(capfd):
    with silenced(2):
        os.write(2, b"dropped")
    os.write(2, b"kept")
    assert capfd.readouterr().err == "kept"


def test_trackers_built_at_once_leave_standard_error_where_it_was():
    before, together = place(2), threading.Barrier(2)

    def build() -> None:
        together.wait()
        FaceTracker()

    for _ in range(20):
        threads = [threading.Thread(target=build) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert place(2) == before
