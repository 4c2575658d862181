"""The place of a source while none but the browser's camera is wanted."""

from __future__ import annotations

import threading

from live.sources.source import Emit


class NoSource:
    """Waits for the browser's camera, whose frames come by the server."""

    name = "none yet: waiting for the browser's camera"

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver nothing."""
        stop.wait()
