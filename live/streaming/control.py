"""The WebSocket: figures and small pictures out, commands in."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from face.errors import FaceError
from face.retarget import Mode
from live.gallery import Gallery
from live.pipeline import Pipeline
from live.streaming.guard import SUBPROTOCOL
from live.streaming.session import Session
from live.streaming.tiles import encode_tiles

_LARGEST_COMMAND = 4 * 1024
_STATUS_INTERVAL_S = 0.25
_TILE_INTERVAL_S = 0.1


def status(session: Session) -> dict[str, object]:
    """Figures for the page."""
    pipeline = session.pipeline
    counts, settings, target = pipeline.metrics.counts(), pipeline.settings, pipeline.target
    return {
        "state": pipeline.state,
        "target": {"name": target.name, "title": target.title, "provenance": target.provenance},
        "source": pipeline.source_name,
        "fps": round(pipeline.metrics.rate(), 1),
        "frames": {"in": counts.get("in", 0), "out": counts.get("out", 0), "dropped": pipeline.dropped()},
        "ms": {n: [round(a, 1), round(b, 1)] for n, (a, b) in pipeline.metrics.percentiles().items()},
        "viewers": session.viewers,
        "settings": {"mode": settings.mode, "relative": settings.relative, "strength": settings.strength},
    }


def apply_setting(pipeline: Pipeline, name: str, value: object) -> None:
    """Change one setting, or re-calibrate.

    Raises:
        ValueError: it is none of ours; the text says so.
    """
    if name == "mode" and value in [m.value for m in Mode]:
        pipeline.update(mode=Mode(value))
    elif name == "relative" and isinstance(value, bool):
        pipeline.update(relative=value)
    elif name == "strength" and isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 2:
        pipeline.update(strength=float(value))
    elif name == "recalibrate" and value is True:
        pipeline.recalibrate()
    else:
        raise ValueError(f"'{name}' is no setting, or not with that value")


class Control:
    """Serves pages by WebSocket.

    Args:
        find: gives the session of a key, once the server runs.
        gallery: targets to choose from.
    """

    def __init__(self, find: Callable[[str], Session | None], gallery: Gallery) -> None:
        self._find, self._gallery = find, gallery
        self._sockets: set[WebSocket] = set()
        self._loading = asyncio.Lock()

    async def talk(self, socket: WebSocket) -> None:
        """One page, until it goes."""
        session = self._find(socket.path_params.get("session", ""))
        if session is None:
            await socket.close(1008)
            return
        offered = [one.strip() for one in socket.headers.get("sec-websocket-protocol", "").split(",")]
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        self._sockets.add(socket)
        sender = asyncio.create_task(_send_figures(socket, session))
        try:
            while True:
                text = await socket.receive_text()
                try:
                    await self._obey(session.pipeline, text)
                except (ValueError, FaceError) as error:
                    await socket.send_json({"error": str(error)})
        except (WebSocketDisconnect, KeyError, RuntimeError):  # KeyError: a binary message where text was expected
            pass
        finally:
            sender.cancel()
            self._sockets.discard(socket)

    async def say_goodbye(self) -> None:
        """Tell every page that the server ends: a browser alone would notice after seconds."""
        for socket in list(self._sockets):
            try:
                await socket.send_json({"ending": True})
                await socket.close(1001)
            except (WebSocketDisconnect, RuntimeError):
                pass

    async def _obey(self, pipeline: Pipeline, text: str) -> None:
        if len(text) > _LARGEST_COMMAND:
            raise ValueError("the command is too long")
        command = json.loads(text)
        if not isinstance(command, dict):
            raise ValueError("expected an object")
        for name, value in command.items():
            if name != "target":
                apply_setting(pipeline, name, value)
            elif isinstance(value, str):
                async with self._loading:  # one at a time: each takes a processor for a moment
                    if value != pipeline.target.name:
                        pipeline.show(await asyncio.to_thread(self._gallery.load, value))
            else:
                raise ValueError("a target is chosen by its name")


async def _send_figures(socket: WebSocket, session: Session) -> None:
    shown = None
    next_status_s = 0.0
    loop = asyncio.get_running_loop()
    while True:
        try:
            if loop.time() >= next_status_s:
                next_status_s = loop.time() + _STATUS_INTERVAL_S
                await socket.send_json(status(session))
            latest = session.pipeline.latest
            if latest is not None and latest is not shown:
                shown = latest
                await socket.send_bytes(await asyncio.to_thread(encode_tiles, latest.conditioned))
        except (WebSocketDisconnect, RuntimeError):
            return
        await asyncio.sleep(_TILE_INTERVAL_S)
