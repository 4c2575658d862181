"""One slot between two stages: the newest item wins, and what it replaces is counted."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The mailbox was closed: the stage at either end stops."""


class Mailbox(Generic[T]):
    """At most one waiting item.

    Args:
        drop: a new item replaces one that still waits (live). Otherwise ``put`` waits for the slot (files, where
            every frame counts).
    """

    def __init__(self, drop: bool = True) -> None:
        self._drop = drop
        self._item: T | None = None
        self._full = False
        self._closed = False
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, item: T) -> None:
        """Leave an item.

        Raises:
            Closed: nobody will take it.
        """
        with self._changed:
            if not self._drop:
                self._changed.wait_for(lambda: not self._full or self._closed)
            if self._closed:
                raise Closed
            self.dropped += self._full
            self._item, self._full = item, True
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T:
        """Wait for an item and take it.

        Args:
            timeout_s: how long to wait at most; ``None`` for as long as it takes.

        Raises:
            Closed: none will come.
            TimeoutError: none came in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._full or self._closed, timeout_s):
                raise TimeoutError
            if not self._full:
                raise Closed
            item = self._item
            self._item, self._full = None, False
            self._changed.notify_all()
            assert item is not None
            return item

    def close(self) -> None:
        """No more items; one that waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
