"""The newest frame as JPEG, encoded once for everybody who asks, on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from live.frames import Generated
from live.pipeline import Pipeline


class Newest:
    """Encodes a loop's newest frame when it is asked for.

    Args:
        pipeline: the loop.
        encode: makes bytes of a frame; takes a moment.
    """

    def __init__(self, pipeline: Pipeline, encode: Callable[[Generated], bytes]) -> None:
        self._pipeline, self._encode = pipeline, encode
        self._encoded: asyncio.Future[bytes] | None = None
        self._frame: Generated | None = None

    async def after(self, frame: Generated | None) -> tuple[Generated | None, bytes | None]:
        """The newest frame and its bytes; no bytes if it is ``frame`` still, or there is none."""
        latest = self._pipeline.latest
        if latest is None or latest is frame:
            return frame, None
        if self._encoded is None or latest is not self._frame:
            self._frame = latest
            self._encoded = asyncio.ensure_future(asyncio.to_thread(self._encode, latest))
        return latest, await asyncio.shield(self._encoded)
