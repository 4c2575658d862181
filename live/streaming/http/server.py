"""The web server: the page, WHEP, WHIP, a WebSocket, and what operators ask for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from live.pipeline import Pipeline
from live.streaming.http.access import Guard
from live.streaming.http.cors import Cors
from live.streaming.http.health_metrics import PROBES, Operations
from live.streaming.http.websocket import Control, status
from live.streaming.http.whip_whep import Signalling
from live.streaming.session import Sessions
from live.streaming.webrtc.ice import IceServer
from live.streaming.webrtc.peers import Peers
from live.streaming.webrtc.whip_client import Publisher
from live.target_gallery import Gallery

WEB = Path(__file__).parents[3] / "web"


def _public() -> frozenset[str]:
    """What anybody who reaches the server may see: the page's own files, which show nobody, and the probes."""
    files = (f"/{path.relative_to(WEB).as_posix()}" for path in WEB.rglob("*") if path.is_file())
    return frozenset(["/", *files, *PROBES])


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How the server serves.

    Attributes:
        token: what everybody must show; ``None`` where only this machine can connect.
        origins: pages of other addresses that may use the server.
        servers: STUN and TURN servers.
        most_viewers: how many may watch at a time.
        most_sessions: how many publishers may have a loop of their own; with one, it takes the main loop.
        bit_rate: of the pictures, bits per second; ``None`` for what their size wants.
        publish: WHIP endpoint of an SFU that is sent the main session's stream.
        publish_token: what the SFU wants to be shown.
    """

    token: str | None = None
    origins: Sequence[str] = ()
    servers: Sequence[IceServer] = ()
    most_viewers: int = 100
    most_sessions: int = 1
    bit_rate: int | None = None
    publish: str | None = None
    publish_token: str | None = None


class Server:
    """The application and the connections it holds.

    Args:
        pipeline: the loop.
        gallery: targets to choose from.
        settings: how to serve.
    """

    def __init__(self, pipeline: Pipeline, gallery: Gallery, settings: ServerSettings | None = None) -> None:
        self._pipeline, self._gallery = pipeline, gallery
        self._settings = settings or ServerSettings()
        self._ending = False
        find = lambda key: self._sessions.find(key)  # noqa: E731  (there are none before the server runs)
        self._control = Control(find, gallery, self._settings.most_viewers)
        operations = Operations(lambda: self._sessions, lambda: self._ending, gallery.gpu)
        signalling = Signalling(lambda: self._peers, find, self._settings.servers)
        origins = frozenset(origin.rstrip("/") for origin in self._settings.origins)
        self.app = Starlette(
            routes=[
                *signalling.routes(),
                *operations.routes(),
                Route("/status", self._status),
                Route("/targets", self._targets),
                Route("/targets/{name}.jpg", self._portrait),
                WebSocketRoute("/live", self._control.talk),
                WebSocketRoute("/sessions/{session}/live", self._control.talk),
                Mount("/", GZipMiddleware(StaticFiles(directory=WEB, html=True))),
            ],
            middleware=[
                Middleware(Cors, origins=origins),
                Middleware(Guard, token=self._settings.token, origins=origins, public=_public()),
            ],
            lifespan=self._lifespan,
        )

    async def say_goodbye(self) -> None:
        """Take no more viewers and tell those there are that the server ends."""
        self._ending = True
        await self._control.say_goodbye()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        settings, loop = self._settings, asyncio.get_running_loop()
        self._sessions = Sessions(self._pipeline, loop, settings.bit_rate, settings.most_sessions)
        self._peers = Peers(self._sessions, settings.servers, settings.most_viewers)
        publishing = None
        if settings.publish is not None:
            publisher = Publisher(self._sessions.main, settings.publish, settings.publish_token, settings.servers)
            publishing = asyncio.create_task(publisher.run())
        try:
            yield
        finally:
            if publishing is not None:
                publishing.cancel()
                await asyncio.wait([publishing])
            await self._peers.close_all()
            await self._sessions.close()

    async def _status(self, _: Request) -> Response:
        return JSONResponse(status(self._sessions.main))

    async def _targets(self, _: Request) -> Response:
        return JSONResponse(self._gallery.describe())

    async def _portrait(self, request: Request) -> Response:
        found = self._gallery.portrait(request.path_params["name"])
        if found is None:
            return PlainTextResponse("There is no such portrait.", 404)
        return Response(found, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})
