"""The WebSocket: figures and small pictures out, commands in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import weakref
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from face.errors import UserError
from face.retarget import Mode
from live.frames import Generated
from live.pipeline import Pipeline
from live.streaming.http.access import SUBPROTOCOL
from live.streaming.http.preview_tiles import encode_tiles
from live.streaming.session import Session
from live.target_gallery import Gallery

_LARGEST_COMMAND = 4 * 1024
_STATUS_INTERVAL_S = 0.25
_TILE_INTERVAL_S = 0.2  # often enough to check by; they take their time from the picture that is watched
_FULL = 1013  # "try again later", as a WebSocket closes
logger = logging.getLogger(__name__)


def status(session: Session) -> dict[str, object]:
    """Figures for the page."""
    pipeline = session.pipeline
    counts, settings, target = pipeline.metrics.counts(), pipeline.settings, pipeline.target
    latency_s = pipeline.metrics.latency_s()
    return {
        "state": pipeline.state,
        "target": {"name": target.name, "title": target.title, "provenance": target.provenance},
        "source": pipeline.source_name,
        "fps": round(pipeline.metrics.rate(), 1),
        "frames": {"in": counts.get("in", 0), "out": counts.get("out", 0), "dropped": pipeline.dropped()},
        "ms": {n: [round(a, 1), round(b, 1)] for n, (a, b) in pipeline.metrics.percentiles().items()},
        "latency_ms": None if latency_s is None else round(latency_s * 1000, 1),
        "sound_ahead_ms": session.sound.ahead_ms,
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
    elif name == "strength" and isinstance(value, int | float) and 0 <= value <= 2:  # NaN is not
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
        most: how many pages may be connected at a time.
    """

    def __init__(self, find: Callable[[str], Session | None], gallery: Gallery, most: int) -> None:
        self._find, self._gallery, self._most = find, gallery, most
        self._sockets: set[WebSocket] = set()
        self._broadcasts: weakref.WeakKeyDictionary[Session, _Broadcast] = weakref.WeakKeyDictionary()
        self._loading = asyncio.Lock()

    async def talk(self, socket: WebSocket) -> None:
        """One page, until it goes."""
        session = self._find(socket.path_params.get("session", ""))
        if session is None:
            await socket.close(1008)
            return
        offered = [one.strip() for one in socket.headers.get("sec-websocket-protocol", "").split(",")]
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        if len(self._sockets) >= self._most:
            await _close(socket, _FULL, "too many pages")
            return
        self._sockets.add(socket)
        broadcast = self._broadcasts.setdefault(session, _Broadcast(session))
        sender = asyncio.create_task(_send_figures(socket, broadcast))
        sender.add_done_callback(_tell_failure)
        try:
            await self._listen(socket, session.pipeline)
        finally:
            sender.cancel()
            self._sockets.discard(socket)

    async def say_goodbye(self) -> None:
        """Tell every page that the server ends: a browser alone would notice after seconds."""
        for socket in list(self._sockets):
            if await _sent(socket, json.dumps({"ending": True})):
                await _close(socket, 1001)

    async def _listen(self, socket: WebSocket, pipeline: Pipeline) -> None:
        """Obey a page until it goes; what it cannot ask for it is told."""
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            try:
                await self._obey(pipeline, message.get("text"))
            except (ValueError, UserError) as error:
                if not await _sent(socket, json.dumps({"error": str(error)})):
                    return

    async def _obey(self, pipeline: Pipeline, text: str | None) -> None:
        if text is None:
            raise ValueError("a command is text")
        if len(text) > _LARGEST_COMMAND:
            raise ValueError("the command is too long")
        try:
            command = json.loads(text)
        except RecursionError:
            raise ValueError("the command is nested too deeply") from None
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


class _Broadcast:
    """What all pages of a session are sent, made once however many there are."""

    def __init__(self, session: Session) -> None:
        self._session = weakref.proxy(session)
        self._figures, self._figures_s = "", -_STATUS_INTERVAL_S
        self._tiles: asyncio.Future[bytes] | None = None
        self._tiles_of: Generated | None = None

    def figures(self) -> str:
        """Figures as JSON, at most half an interval old."""
        now = time.monotonic()
        if now - self._figures_s > _STATUS_INTERVAL_S / 2:
            self._figures, self._figures_s = json.dumps(status(self._session)), now
        return self._figures

    async def tiles(self, shown: Generated | None) -> tuple[Generated | None, bytes | None]:
        """The newest picture's tiles, and whose they are; no tiles if it is the one that was shown last."""
        latest = self._session.pipeline.latest
        if latest is None or latest is shown:
            return shown, None
        if self._tiles is None or latest is not self._tiles_of:
            self._tiles_of = latest
            self._tiles = asyncio.ensure_future(asyncio.to_thread(encode_tiles, latest.conditioned))
        return latest, await asyncio.shield(self._tiles)


async def _sent(socket: WebSocket, message: str | bytes) -> bool:
    """Send; ``False`` if the page has gone."""
    try:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
    except (WebSocketDisconnect, RuntimeError):  # uvicorn's, where it has given a silent page up
        return False
    return True


async def _close(socket: WebSocket, code: int, reason: str | None = None) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # as above
        await socket.close(code, reason)


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        logger.error("a page gets no more figures", exc_info=task.exception())


async def _send_figures(socket: WebSocket, broadcast: _Broadcast) -> None:
    shown: Generated | None = None
    next_status_s = 0.0
    loop = asyncio.get_running_loop()
    while True:
        if loop.time() >= next_status_s:
            next_status_s = loop.time() + _STATUS_INTERVAL_S
            if not await _sent(socket, broadcast.figures()):
                return
        shown, tiles = await broadcast.tiles(shown)
        if tiles is not None and not await _sent(socket, tiles):
            return
        await asyncio.sleep(_TILE_INTERVAL_S)
