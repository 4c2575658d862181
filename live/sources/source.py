"""What a source of frames is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from live.frames import Media

Emit = Callable[[Media], None]


class Source(Protocol):
    """Delivers frames, and sound if it has any, on a thread of its own until it is to stop."""

    name: str

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver what there is; returns when ``stop`` is set or there are no more."""
        ...
