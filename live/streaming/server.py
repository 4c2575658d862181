"""The web server: the page, WHEP, WHIP, and a WebSocket for figures and controls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from face.retarget import Mode
from face.target import TargetInfo
from live.pipeline import Pipeline
from live.streaming.encoder import SharedEncoder
from live.streaming.peers import BadOffer, Peers
from live.streaming.tiles import encode_tiles

WEB = Path(__file__).parents[2] / "web"
_LARGEST_OFFER = 64 * 1024
_LARGEST_COMMAND = 4 * 1024
_STATUS_INTERVAL_S = 0.25
_TILE_INTERVAL_S = 0.1


def status(pipeline: Pipeline, target: TargetInfo, viewers: int) -> dict[str, object]:
    """Figures for the page."""
    counts = pipeline.metrics.counts()
    settings = pipeline.settings
    return {
        "state": pipeline.state,
        "target": {"name": target.name, "title": target.title, "provenance": target.provenance},
        "source": pipeline.source_name,
        "fps": round(pipeline.metrics.rate(), 1),
        "frames": {"in": counts.get("in", 0), "out": counts.get("out", 0), "dropped": pipeline.dropped()},
        "ms": {n: [round(a, 1), round(b, 1)] for n, (a, b) in pipeline.metrics.percentiles().items()},
        "viewers": viewers,
        "settings": {"mode": settings.mode, "relative": settings.relative, "strength": settings.strength},
    }


def apply_command(pipeline: Pipeline, command: object) -> None:
    """Carry out a command from the page.

    Raises:
        ValueError: it is none of ours; the text says what was expected.
    """
    if not isinstance(command, dict):
        raise ValueError("expected an object")
    for name, value in command.items():
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


def build_app(pipeline: Pipeline, target: TargetInfo) -> Starlette:
    """The application; its lifespan owns the encoder and all connections."""
    parts: dict[str, object] = {}

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        encoder = SharedEncoder(asyncio.get_running_loop(), pipeline.metrics)
        peers = Peers(pipeline, encoder)
        parts.update(encoder=encoder, peers=peers)
        pipeline.sinks.append(encoder.put)
        try:
            yield
        finally:
            pipeline.sinks.remove(encoder.put)
            await peers.close_all()
            encoder.close()

    def peers() -> Peers:
        found = parts["peers"]
        assert isinstance(found, Peers)
        return found

    def viewers() -> int:
        encoder = parts["encoder"]
        assert isinstance(encoder, SharedEncoder)
        return encoder.viewers

    async def negotiate(request: Request) -> Response:
        """WHEP and WHIP: an SDP offer in, an answer out (RFC 9725)."""
        if request.headers.get("content-type", "").split(";")[0] != "application/sdp":
            return PlainTextResponse("Send an offer as application/sdp.", 415)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_OFFER:
                return PlainTextResponse("The offer is too large.", 413)
        path = request.url.path
        try:
            answer = peers().view if path == "/whep" else peers().publish
            key, sdp = await answer(body.decode("utf-8", errors="replace"))
        except BadOffer as error:
            return PlainTextResponse(str(error), 400)
        return Response(sdp, 201, {"Location": f"{path}/{key}"}, media_type="application/sdp")

    async def hang_up(request: Request) -> Response:
        found = await peers().close(request.path_params["key"])
        return Response(status_code=200 if found else 404)

    async def talk(socket: WebSocket) -> None:
        """Figures and tiles out, commands in."""
        await socket.accept()
        sender = asyncio.create_task(_send_figures(socket, pipeline, target, viewers))
        try:
            while True:
                text = await socket.receive_text()
                try:
                    if len(text) > _LARGEST_COMMAND:
                        raise ValueError("the command is too long")
                    apply_command(pipeline, json.loads(text))
                except ValueError as error:
                    await socket.send_json({"error": str(error)})
        except (WebSocketDisconnect, KeyError):  # KeyError: a binary message where text was expected
            pass
        finally:
            sender.cancel()

    async def figures(_: Request) -> Response:
        return JSONResponse(status(pipeline, target, viewers()))

    return Starlette(
        routes=[
            Route("/whep", negotiate, methods=["POST"]),
            Route("/whip", negotiate, methods=["POST"]),
            Route("/whep/{key}", hang_up, methods=["DELETE"]),
            Route("/whip/{key}", hang_up, methods=["DELETE"]),
            Route("/status", figures),
            WebSocketRoute("/live", talk),
            Mount("/", StaticFiles(directory=WEB, html=True)),
        ],
        lifespan=lifespan,
    )


async def _send_figures(socket: WebSocket, pipeline: Pipeline, target: TargetInfo, viewers: object) -> None:
    assert callable(viewers)
    shown = None
    next_status_s = 0.0
    loop = asyncio.get_running_loop()
    while True:
        try:
            if loop.time() >= next_status_s:
                next_status_s = loop.time() + _STATUS_INTERVAL_S
                await socket.send_json(status(pipeline, target, viewers()))
            latest = pipeline.latest
            if latest is not None and latest is not shown:
                shown = latest
                await socket.send_bytes(await asyncio.to_thread(encode_tiles, latest.conditioned))
        except (WebSocketDisconnect, RuntimeError):
            return
        await asyncio.sleep(_TILE_INTERVAL_S)
