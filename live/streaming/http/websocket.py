"""The WebSocket: status and small images out, commands in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict

from starlette.websockets import WebSocket, WebSocketDisconnect

from face.errors import UserError
from face.retarget import Mode
from live.frames import Generated
from live.pipeline import Pipeline, State
from live.recording.recordings import Recordings
from live.streaming.http.access import SUBPROTOCOL, Allowance, Role
from live.streaming.http.newest_jpeg import Newest
from live.streaming.http.preview_tiles import encode_tiles
from live.streaming.session import Session
from live.target_gallery import Gallery

_LARGEST_COMMAND = 4 * 1024
_STATUS_INTERVAL_S = 0.25
_TILE_INTERVAL_S = 0.2  # often enough to check by; they take their time from the frame that is watched
_COMMAND_BURST, _COMMANDS_PER_S = 40.0, 20.0  # of a page: a slider sends many
_RECALIBRATION_BURST, _RECALIBRATIONS_PER_S = 2.0, 0.2  # of a session, whoever asks
_FULL = 1013  # "try again later", as a WebSocket closes
_STRENGTHS = ("strength", "head", "eyes")
_DETAILS = {
    State.STALLED: "No frame has come for a second.",
    State.PAUSED: "The camera is paused: it goes on by itself when frames return.",
}
logger = logging.getLogger(__name__)


class Refused(Exception):
    """A command is not obeyed; the text says why."""


def status(
    session: Session, role: str, trouble: str | None = None, recording: dict[str, object] | None = None
) -> dict[str, object]:
    """The status message; ``live_schema.json`` describes it.

    Args:
        session: whose.
        role: of whom it is for.
        trouble: a sentence about a publisher that cannot be shown.
        recording: of the session; operators are told.
    """
    pipeline = session.pipeline
    counts, settings, target = pipeline.metrics.counts(), pipeline.settings, pipeline.target
    latency_s = pipeline.metrics.latency_s()
    calibrating = pipeline.state is State.CALIBRATING
    return {
        "type": "status",
        "state": pipeline.state,
        "detail": trouble or (pipeline.gone if pipeline.state is State.CAMERA_GONE else _DETAILS.get(pipeline.state)),
        "progress": round(pipeline.calibration, 2) if calibrating else None,
        "match": _match(pipeline) if calibrating else None,
        "role": role,
        "target": {
            "name": target.name,
            "title": target.title,
            "provenance": target.provenance,
            "consent": None if target.consent is None else asdict(target.consent),
            "size": target.size,
        },
        "watermark": pipeline.marking.session_id,
        "source": pipeline.source_name,
        "publisher": pipeline.guest,
        "fps": round(pipeline.metrics.rate(), 1),
        "frames": {n: counts.get(n, 0) for n in ("in", "out", "skipped")} | {"dropped": pipeline.dropped()},
        "ms": {n: [round(a, 1), round(b, 1)] for n, (a, b) in pipeline.metrics.percentiles().items()},
        "latency_ms": None if latency_s is None else round(latency_s * 1000, 1),
        "sound_ahead_ms": session.sound.ahead_ms,
        "viewers": session.viewers,
        "recording": recording if role == Role.OPERATOR else None,
        "settings": {**asdict(settings), "freeze": pipeline.frozen, "mirror": pipeline.mirrored},
    }


def _match(pipeline: Pipeline) -> dict[str, float] | None:
    match = pipeline.match
    if match is None:
        return None
    return {"score": round(match.score, 2), "expression": round(match.expression, 2), "head": round(match.head, 2)}


def apply_setting(pipeline: Pipeline, name: str, value: object) -> None:
    """Change one setting, or re-calibrate.

    Raises:
        ValueError: it is none of ours; the text says so.
    """
    if name == "mode" and value in [m.value for m in Mode]:
        pipeline.update(mode=Mode(value))
    elif name == "relative" and isinstance(value, bool):
        pipeline.update(relative=value)
    elif name in _STRENGTHS and type(value) in (int, float) and 0 <= value <= 2:  # type: ignore[operator]  # not NaN
        pipeline.update(**{name: float(value)})  # type: ignore[arg-type]
    elif name == "freeze" and isinstance(value, bool):
        pipeline.frozen = value
    elif name == "mirror" and isinstance(value, bool):
        pipeline.mirrored = value
    elif name == "recalibrate" and value is True:
        pipeline.recalibrate()
    else:
        raise ValueError(f"{name!a} is no setting, or not with that value")


class Control:
    """Serves pages by WebSocket.

    Args:
        find: gives the session of a key, once the loop is ready.
        status_of: the status message of a session, or of the preparation, for a role.
        gallery: gives the targets to choose from.
        recordings: made when operators ask.
        most: how many pages may be connected at a time.
    """

    def __init__(
        self,
        find: Callable[[str], Session | None],
        status_of: Callable[[Session | None, str], dict[str, object]],
        gallery: Callable[[], Gallery],
        recordings: Recordings,
        most: int,
    ) -> None:
        self._find, self._status_of, self._gallery, self._most = find, status_of, gallery, most
        self._recordings = recordings
        self._sockets: set[WebSocket] = set()
        self._broadcasts: weakref.WeakKeyDictionary[Session, _Broadcast] = weakref.WeakKeyDictionary()
        self._recalibrations = Allowance(_RECALIBRATION_BURST, _RECALIBRATIONS_PER_S)
        self._loading = asyncio.Lock()

    async def talk(self, socket: WebSocket) -> None:
        """One page, until it goes."""
        key = socket.path_params.get("session", "")
        if key and self._find(key) is None:
            await socket.close(1008)
            return
        offered = [name.strip() for name in socket.headers.get("sec-websocket-protocol", "").split(",")]
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        if len(self._sockets) >= self._most:
            await _close(socket, _FULL, "too many pages")
            return
        self._sockets.add(socket)
        sender = asyncio.create_task(self._send(socket, key))
        sender.add_done_callback(_log_failure)
        try:
            await self._listen(socket, key)
        finally:
            sender.cancel()
            self._sockets.discard(socket)

    async def say_goodbye(self) -> None:
        """Tell every page that the server ends: a browser alone would notice after seconds."""
        for socket in list(self._sockets):
            if await _sent(socket, json.dumps({"type": "ending", "ending": True})):
                await _close(socket, 1001)

    async def _send(self, socket: WebSocket, key: str) -> None:
        """Send status and tiles; before the loop is ready, how far it is."""
        role = socket.scope["role"]
        while (session := self._find(key)) is None:
            if not await _sent(socket, json.dumps(self._status_of(None, role))):
                return
            await asyncio.sleep(_STATUS_INTERVAL_S)
        if (broadcast := self._broadcasts.get(session)) is None:
            broadcast = self._broadcasts[session] = _Broadcast(session, self._status_of)
        await _send_status(socket, broadcast, role)

    async def _listen(self, socket: WebSocket, key: str) -> None:
        """Obey a page until it goes; answer a command that cannot be obeyed with an error."""
        allowance = Allowance(_COMMAND_BURST, _COMMANDS_PER_S)
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            try:
                if socket.scope["role"] is not Role.OPERATOR:
                    raise Refused("Only operators change settings: your token is a viewer's.")
                if not allowance.take("", time.monotonic()):
                    raise Refused("Too many commands: wait a moment.")
                session = self._find(key)
                if session is None:
                    raise Refused("The server is getting ready: try again soon.")
                await self._obey(session, message.get("text"), key)
            except (ValueError, UserError, Refused) as error:
                if not await _sent(socket, json.dumps({"type": "error", "error": str(error)})):
                    return

    async def _obey(self, session: Session, text: str | None, key: str) -> None:
        pipeline = session.pipeline
        for name, value in _command(text).items():
            if name == "recalibrate" and not self._recalibrations.take(key, time.monotonic()):
                raise Refused("The source was re-calibrated just now: wait a moment.")
            if name == "record":
                await self._record(session, value)
            elif name == "target":
                if not isinstance(value, str):
                    raise ValueError("a target is chosen by its name")
                await self._show(pipeline, value, pipeline.target.size)
            elif name == "size" and type(value) is int:
                await self._show(pipeline, pipeline.target.name, value)
            else:
                apply_setting(pipeline, name, value)

    async def _show(self, pipeline: Pipeline, name: str, size: int) -> None:
        async with self._loading:  # one at a time: each takes a CPU for a moment
            if (name, size) != (pipeline.target.name, pipeline.target.size):
                pipeline.show(await asyncio.to_thread(self._gallery().load, name, size))

    async def _record(self, session: Session, value: object) -> None:
        if value is True:
            self._recordings.start(session)
        elif value is False:
            await self._recordings.stop(session)
        else:
            raise ValueError("'record' is true or false")


def _command(text: str | None) -> dict[str, object]:
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
    return command


class _Broadcast:
    """What all pages of a session are sent, made once however many there are."""

    def __init__(self, session: Session, status_of: Callable[[Session | None, str], dict[str, object]]) -> None:
        self._session, self._status_of = weakref.proxy(session), status_of
        self._statuses: dict[str, tuple[str, float]] = {}  # by role
        self.tiles = Newest(session.pipeline, lambda generated: encode_tiles(generated.conditioned))

    def status(self, role: str) -> str:
        """The status message as JSON, at most half an interval old."""
        now = time.monotonic()
        text, made_s = self._statuses.get(role, ("", -_STATUS_INTERVAL_S))
        if now - made_s > _STATUS_INTERVAL_S / 2:
            text = json.dumps(self._status_of(self._session, role))
            self._statuses[role] = text, now
        return text


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


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        logger.error("a page gets no more status", exc_info=task.exception())


async def _send_status(socket: WebSocket, broadcast: _Broadcast, role: str) -> None:
    frame: Generated | None = None
    next_status_s = 0.0
    loop = asyncio.get_running_loop()
    while True:
        if loop.time() >= next_status_s:
            next_status_s = loop.time() + _STATUS_INTERVAL_S
            if not await _sent(socket, broadcast.status(role)):
                return
        frame, tiles = await broadcast.tiles.after(frame)
        if tiles is not None and not await _sent(socket, tiles):
            return
        await asyncio.sleep(_TILE_INTERVAL_S)
