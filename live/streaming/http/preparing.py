"""A server that is asked before its loop runs."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Preparation:
    """How far the loop is prepared.

    Attributes:
        detail: a sentence for people.
        progress: 0…1.
    """

    detail: str = "The server is getting ready."
    progress: float = 0.0

    def status(self, role: str) -> dict[str, object]:
        """The status message of ``/live`` meanwhile."""
        return {
            "type": "status", "state": "getting ready", "detail": self.detail, "progress": round(self.progress, 2),
            "match": None, "role": role, "target": None, "watermark": None, "source": None, "publisher": None,
            "fps": 0.0, "frames": {"in": 0, "out": 0, "dropped": 0, "skipped": 0}, "ms": {}, "latency_ms": None,
            "sound_ahead_ms": None, "viewers": 0, "recording": None, "settings": None,
        }  # fmt: skip


class NotYet:
    """Answers 503 to what needs the loop, until there is one.

    Args:
        app: what is asked afterwards.
        ready: whether the loop is there.
        but: paths that need none.
    """

    def __init__(self, app: ASGIApp, ready: Callable[[], bool], but: Container[str]) -> None:
        self._app, self._ready, self._but = app, ready, but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] == "http" and not self._ready() and scope["path"] not in self._but:
            refusal = PlainTextResponse("The server is getting ready: try again soon.", 503, {"Retry-After": "1"})
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)
