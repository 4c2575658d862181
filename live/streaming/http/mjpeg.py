"""Frames without WebRTC: JPEGs one after the other, for networks that let no UDP through."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable

import cv2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from live.frames import Generated
from live.pipeline import State
from live.streaming.http.newest_jpeg import Newest
from live.streaming.session import Session

_INTERVAL_S = 0.1
_HEARTBEAT_S = 1.0  # between two parts at most: a reader knows that the server is there
_STUCK_S = 10.0  # for a part to be taken
_QUALITY = 80


def encode_jpeg(generated: Generated) -> bytes:
    """A frame as JPEG."""
    bgr = cv2.cvtColor(generated.image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


class Mjpeg:
    """Serves sessions as ``multipart/x-mixed-replace``.

    Args:
        find: gives the session of a key.
        most: how many may watch so at a time.
    """

    def __init__(self, find: Callable[[str], Session | None], most: int) -> None:
        self._find, self._most = find, most
        self._watching = 0
        self._newest: weakref.WeakKeyDictionary[Session, Newest] = weakref.WeakKeyDictionary()

    async def watch(self, request: Request) -> Response:
        """One viewer."""
        session = self._find(request.path_params.get("session", ""))
        if session is None:
            return PlainTextResponse("There is no such session (any more).", 404)
        if self._watching >= self._most:
            return PlainTextResponse("There are as many viewers as this server admits.", 503, {"Retry-After": "5"})
        newest = self._newest.setdefault(session, Newest(session.pipeline, encode_jpeg))
        return StreamingResponse(
            self._parts(session, newest),
            media_type="multipart/x-mixed-replace; boundary=frame",
            headers={"Cache-Control": "no-store"},
        )

    async def _parts(self, session: Session, newest: Newest) -> AsyncIterator[bytes]:
        frame, jpeg, sent_s = None, b"", 0.0
        self._watching += 1
        session.jpeg_viewers += 1
        try:
            while session.pipeline.state is not State.CLOSED:
                frame, fresh = await newest.after(frame)
                jpeg = fresh or jpeg
                now = time.monotonic()
                if fresh or (jpeg and now - sent_s >= _HEARTBEAT_S):
                    sent_s = now
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    yield head.encode() + jpeg + b"\r\n"
                    if time.monotonic() - now > _STUCK_S:
                        return
                await asyncio.sleep(_INTERVAL_S)
        finally:
            self._watching -= 1
            session.jpeg_viewers -= 1
