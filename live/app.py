"""The live command: parts from options, run, stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from face.errors import UserError
from face.morphable import MorphableModel
from face.retarget import Mode
from face.target import find_target
from face.threads import compute_on_one_thread
from live import logs
from live.device import Device, choose
from live.frames import Generated
from live.pipeline import Pipeline
from live.recorder import Recorder
from live.sources.open import open_source
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.tls import self_signed
from live.streaming.webrtc.ice import parse_server
from live.target_gallery import Gallery
from live.target_loading import load_target
from live.warm_up import warm_up
from trt_engines.folders import TARGET_FOLDERS
from trt_engines.gpu import Gpu

CERTIFICATES = Path.home() / ".config" / "head2head"
TOKEN_VARIABLE, ICE_VARIABLE = "HEAD2HEAD_TOKEN", "HEAD2HEAD_ICE"
PUBLISH_VARIABLE = "HEAD2HEAD_PUBLISH_TOKEN"
_LARGEST_MESSAGE = 64 * 1024
_GOODBYE_S = 0.5


def build_pipeline(
    target: str,
    source: str,
    size: int | None = None,
    live: bool = True,
    gpu: Gpu | None = None,
    alone: bool = True,
) -> tuple[Pipeline, Path]:
    """Loop for a target and a source named as on the command line, and the target's file.

    ``alone`` says that no other loop will run beside it.

    Raises:
        UserError: either cannot be opened, or the target is of another size.
    """
    model = MorphableModel.load()
    path = find_target(target, TARGET_FOLDERS)
    loaded = load_target(path, model, gpu)
    if size not in (None, loaded.info.size):
        raise UserError(f"The target {path} makes images of {loaded.info.size} px: leave --size out or train it anew.")
    return Pipeline(model, loaded, open_source(source, paced=live, loop=live), live, alone), path


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: the address is taken or not ours.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # from now on nobody else can have the port
    except OSError as error:
        bound.close()
        raise UserError(f"Cannot serve on {host}:{port} ({error.strerror}): choose another with --port.") from None
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def certificate(arguments: argparse.Namespace) -> tuple[Path, Path] | None:
    """Certificate and key to serve with; ``None`` for plain HTTP.

    Raises:
        UserError: half of them is missing, or cannot be read.
    """
    given = arguments.tls_cert, arguments.tls_key
    if any(given):
        if not all(given):
            raise UserError("A certificate needs its key: give both --tls-cert and --tls-key.")
        for path in given:
            if not os.access(path, os.R_OK):
                raise UserError(f"Cannot read {path}: check --tls-cert and --tls-key.")
        return arguments.tls_cert, arguments.tls_key
    return self_signed(CERTIFICATES, arguments.host) if arguments.self_signed else None


def server_settings(arguments: argparse.Namespace) -> ServerSettings:
    """How to serve, from options and environment.

    Raises:
        UserError: an option is not what it should be.
    """
    token = arguments.token or os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not is_loopback(arguments.host):
        token = secrets.token_urlsafe(16)
    return ServerSettings(
        token=token,
        origins=arguments.allow_origin,
        servers=[parse_server(text) for text in (*arguments.ice, *os.environ.get(ICE_VARIABLE, "").split())],
        most_viewers=arguments.max_viewers,
        most_sessions=arguments.max_sessions,
        bit_rate=arguments.bitrate and arguments.bitrate * 1000,
        publish=_web_address(arguments.publish),
        publish_token=os.environ.get(PUBLISH_VARIABLE) or None,
    )


def _web_address(text: str | None) -> str | None:
    if text is not None and not text.startswith(("http://", "https://")):
        raise UserError("--publish wants the http(s) address of a WHIP endpoint.")
    return text


class Stopper:
    """Sets an event after some pictures."""

    def __init__(self, frames: int | None, enough: threading.Event) -> None:
        self._left, self._enough = frames, enough

    def put(self, _: Generated) -> None:
        """Count a picture."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._enough.set()


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again once it has stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


async def serve(
    server: Server, bound: socket.socket, ended: threading.Event, tls: tuple[Path, Path] | None = None
) -> None:
    """Serve until the loop has ended, then tell the viewers and stop.

    Raises:
        UserError: the certificate cannot be used.
    """
    config = uvicorn.Config(
        server.app, log_config=None, access_log=False, ws="websockets-sansio", ws_max_size=_LARGEST_MESSAGE,
        server_header=False, timeout_graceful_shutdown=2, ssl_certfile=tls and tls[0], ssl_keyfile=tls and tls[1],
    )  # fmt: skip
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise UserError(f"The certificate cannot be used ({error}): check --tls-cert and --tls-key.") from None
    running = _Server(config)
    serving = asyncio.create_task(running.serve(sockets=[bound]))
    waiting = asyncio.create_task(asyncio.to_thread(ended.wait))
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.say_goodbye(), _GOODBYE_S)
    running.should_exit = True
    ended.set()
    await serving
    await waiting


def _address(arguments: argparse.Namespace, port: int, settings: ServerSettings, secure: bool) -> str:
    """What to open in a browser. The token stands behind the #, which a browser keeps to itself."""
    host = "localhost" if is_loopback(arguments.host) else arguments.host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    address = f"{'https' if secure else 'http'}://{host}:{port}"
    return f"{address}/#token={settings.token}" if settings.token else address


def run(arguments: argparse.Namespace) -> None:
    """Run the live loop until it ends.

    Raises:
        UserError: something the user can mend; see its text.
    """
    logs.set_up(arguments.log_json)
    compute_on_one_thread()
    settings = server_settings(arguments)
    bound = None if arguments.no_server else listen(arguments.host, arguments.port)
    recorder = None
    try:
        tls = certificate(arguments)
        gpu, where = choose(Device(arguments.device))
        pipeline, path = build_pipeline(
            arguments.target, arguments.source, arguments.size, gpu=gpu, alone=arguments.max_sessions == 1
        )
        pipeline.update(mode=Mode(arguments.mode))
        if arguments.output:
            recorder = Recorder(arguments.output)
            pipeline.sinks.append(recorder.put)
        ended = threading.Event()
        pipeline.on_end = ended.set
        pipeline.sinks.append(Stopper(arguments.frames, ended).put)
        print(f"target: {pipeline.target.title} ({path.name})")
        print(f"generator: {pipeline.loaded.generator.description}")
        print(f"device: {where}")
        print(f"source: {pipeline.source.name}")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        print("getting ready (the first start compiles for this processor, up to half a minute)", flush=True)
        warm_up(pipeline, ended)
        pipeline.start()
        if bound is None:
            ended.wait()
        else:
            server = Server(pipeline, Gallery(pipeline.model, TARGET_FOLDERS, path, gpu=gpu), settings)
            print(f"open {_address(arguments, bound.getsockname()[1], settings, tls is not None)}", flush=True)
            if tls is None and not is_loopback(arguments.host):
                print("(browsers give their camera to secure pages only: add --self-signed, or --tls-cert)", flush=True)
            asyncio.run(serve(server, bound, ended, tls))
        pipeline.stop()
        if pipeline.error is not None:
            raise pipeline.error
    finally:
        if bound is not None:
            bound.close()
        if recorder is not None:
            recorder.close()
