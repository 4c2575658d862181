"""The web server: the page, WHEP, WHIP, a WebSocket, and what operators ask for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_videos_path
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from live.pipeline import Pipeline
from live.recording.output_file import OutputFile
from live.recording.recordings import Recordings
from live.streaming.http.access import Guard, Tokens
from live.streaming.http.connections import ErrorLog
from live.streaming.http.cors import Cors
from live.streaming.http.health_metrics import PROBES, Operations
from live.streaming.http.mjpeg import Mjpeg
from live.streaming.http.preparing import NotYet, Preparation
from live.streaming.http.websocket import Control, status
from live.streaming.http.whip_whep import Signaling
from live.streaming.session import Session, Sessions
from live.streaming.webrtc.ice import IceServer
from live.streaming.webrtc.peers import Peers
from live.streaming.webrtc.whip_client import Publisher
from live.target_gallery import Gallery
from live.trust.signing import Signing

WEB = Path(__file__).parents[3] / "web"


def _public() -> frozenset[str]:
    """What anybody who reaches the server may see: the page's own files, which show nobody, and the probes."""
    files = (f"/{path.relative_to(WEB).as_posix()}" for path in WEB.rglob("*") if path.is_file())
    return frozenset(["/", *files, *PROBES])


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How the server serves.

    Attributes:
        tokens: what operators and viewers must show.
        origins: pages of other addresses that may use the server.
        servers: STUN and TURN servers.
        most_viewers: how many may watch at a time.
        most_sessions: how many publishers may have a loop of their own; with one, it takes the main loop.
        bitrate: of the video, bits per second; ``None`` for what its size wants.
        udp_ports: those that media may use; ``None`` for any.
        publish: WHIP endpoint of an SFU that is sent the main session's stream.
        publish_token: the SFU's bearer token.
        output: file to record the main session to.
        recordings: folder of the recordings that operators ask for.
        signing: signs these; ``None`` leaves them unsigned.
    """

    tokens: Tokens = Tokens()
    origins: Sequence[str] = ()
    servers: Sequence[IceServer] = ()
    most_viewers: int = 100
    most_sessions: int = 1
    bitrate: int | None = None
    udp_ports: range | None = None
    publish: str | None = None
    publish_token: str | None = None
    output: OutputFile | None = None
    recordings: Path = user_videos_path() / "Head2Head"
    signing: Signing | None = None


@dataclass(frozen=True)
class _Open:
    """What there is once the loop is ready."""

    gallery: Gallery
    sessions: Sessions
    peers: Peers


class Server:
    """The application and the connections it holds.

    It serves the page at once, and the loop from ``open`` on.

    Args:
        settings: how to serve.

    Attributes:
        preparation: how far the loop is prepared; sent to pages until it is there.
    """

    def __init__(self, settings: ServerSettings | None = None) -> None:
        self._settings = settings or ServerSettings()
        self.preparation = Preparation()
        self._ending = False
        self._open: _Open | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._recordings = Recordings(self._settings.recordings, self._settings.signing)
        self._control = Control(
            self._find, self._status, lambda: self._parts.gallery, self._recordings, self._settings.most_viewers
        )
        self.app = Starlette(routes=self._routes(), middleware=self._middleware(), lifespan=self._lifespan)

    def open(self, pipeline: Pipeline, gallery: Gallery) -> None:
        """Serve a loop from now on; on the event loop.

        Args:
            pipeline: the loop.
            gallery: targets to choose from.
        """
        settings = self._settings
        sessions = Sessions(pipeline, asyncio.get_running_loop(), settings.bitrate, settings.most_sessions)
        peers = Peers(sessions, settings.servers, settings.most_viewers, settings.udp_ports)
        self._open = _Open(gallery, sessions, peers)
        if settings.output is not None:
            self._recordings.start(sessions.main, settings.output)
        if settings.publish is not None:
            publisher = Publisher(sessions.main, settings.publish, settings.publish_token, settings.servers)
            self._publishing = asyncio.create_task(publisher.run())

    async def say_goodbye(self) -> None:
        """Take no more viewers and tell those there are that the server ends."""
        self._ending = True
        await self._control.say_goodbye()

    @property
    def _parts(self) -> _Open:
        assert self._open is not None, "NotYet keeps requests away"
        return self._open

    def _find(self, key: str) -> Session | None:
        return self._open.sessions.find(key) if self._open else None

    def _status(self, session: Session | None, role: str) -> dict[str, object]:
        if session is None:
            return self.preparation.status(role)
        return status(session, role, self._parts.peers.trouble(session), self._recordings.describe(session))

    def _routes(self) -> list[BaseRoute]:
        mjpeg = Mjpeg(self._find, self._settings.most_viewers)
        return [
            *Signaling(lambda: self._parts.peers, self._find, self._settings.servers).routes(),
            *Operations(
                sessions=lambda: self._open.sessions if self._open else None,
                ending=lambda: self._ending,
                gpu=lambda: self._open.gallery.gpu if self._open else None,
            ).routes(),
            Route("/status", self._status_now),
            Route("/targets", self._targets),
            Route("/targets/{name}.jpg", self._portrait),
            Route("/recordings/{name}", self._recording),
            Route("/mjpeg", mjpeg.watch),
            Route("/sessions/{session}/mjpeg", mjpeg.watch),
            WebSocketRoute("/live", self._control.talk),
            WebSocketRoute("/sessions/{session}/live", self._control.talk),
            Mount("/", GZipMiddleware(StaticFiles(directory=WEB, html=True))),
        ]

    def _middleware(self) -> list[Middleware]:
        origins = frozenset(origin.rstrip("/") for origin in self._settings.origins)
        public = _public()
        return [
            Middleware(Cors, origins=origins),
            Middleware(Guard, tokens=self._settings.tokens, origins=origins, public=public),
            Middleware(NotYet, ready=lambda: self._open is not None, but=public | {"/status"}),
        ]

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_exception_handler(ErrorLog())
        try:
            yield
        finally:
            if self._publishing is not None:
                self._publishing.cancel()
                await asyncio.wait([self._publishing])
            if self._open is not None:
                await self._open.peers.close_all()
                await self._open.sessions.close()

    async def _status_now(self, request: Request) -> Response:
        return JSONResponse(self._status(self._find(""), request.scope["role"]))

    async def _targets(self, _: Request) -> Response:
        return JSONResponse(self._parts.gallery.describe())

    async def _portrait(self, request: Request) -> Response:
        portrait = self._parts.gallery.portrait(request.path_params["name"])
        if portrait is None:
            return PlainTextResponse("There is no such portrait.", 404)
        return Response(portrait, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})

    async def _recording(self, request: Request) -> Response:
        path = self._recordings.find(request.path_params["name"])
        if path is None or not path.exists():
            return PlainTextResponse("There is no such recording.", 404)
        return FileResponse(path, filename=path.name, headers={"Cache-Control": "no-store"})
