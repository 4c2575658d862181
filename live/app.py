"""The live command: parts from options, run, stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from platformdirs import user_config_path, user_data_path

from face.errors import UserError
from face.folders import writable
from face.morphable import MorphableModel
from face.target import find_target
from face.threads import compute_on_one_thread
from live import logs
from live.device import choose
from live.frames import Generated
from live.options import Options
from live.pipeline import Pipeline
from live.recorder import Recorder, check_output
from live.sources.open import SourceSettings, open_source
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.tls import self_signed
from live.streaming.webrtc.ice import parse_server
from live.target_gallery import Gallery
from live.target_loading import load_target
from live.warm_up import warm_up
from trt_engines.gpu import Gpu

TARGETS = Path(__file__).parents[1] / "trt_engines"
TARGET_FOLDERS = (TARGETS, user_data_path("head2head") / "targets")  # where names are looked up, in this order
TOKEN_VARIABLE, ICE_VARIABLE = "HEAD2HEAD_TOKEN", "HEAD2HEAD_ICE"
PUBLISH_VARIABLE = "HEAD2HEAD_PUBLISH_TOKEN"
_LARGEST_MESSAGE = 64 * 1024
_GOODBYE_S = 0.5


def build_pipeline(
    target: str,
    source: str,
    settings: SourceSettings | None = None,
    gpu: Gpu | None = None,
    alone: bool = True,
) -> tuple[Pipeline, Path]:
    """Loop for a target and a source named as on the command line, and the target's file.

    Args:
        target: name or file.
        source: as ``open_source`` takes it.
        settings: how to open the source.
        gpu: where to render and generate; ``None`` for the CPU.
        alone: no other loop will run beside it.

    Raises:
        UserError: either cannot be opened.
    """
    model = MorphableModel.load()
    path = find_target(target, TARGET_FOLDERS)
    loaded = load_target(path, model, gpu)
    return Pipeline(model, loaded, open_source(source, settings), alone=alone), path


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
        foreign = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        remedy = "give an address of this machine with --host" if foreign else "choose another with --port"
        raise UserError(f"Cannot serve on {host}:{port} ({error.strerror}): {remedy}.") from None
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def certificate(options: Options) -> tuple[Path, Path] | None:
    """Certificate and key to serve with; ``None`` for plain HTTP.

    Raises:
        UserError: half of them is missing, or cannot be read.
    """
    certificate, key = options.tls_cert, options.tls_key
    if certificate is None and key is None:
        if not options.self_signed:
            return None
        return self_signed(writable(user_config_path("head2head"), "certificates"), options.host)
    if certificate is None or key is None:
        raise UserError("A certificate needs its key: give both --tls-cert and --tls-key.")
    for path in (certificate, key):
        if not os.access(path, os.R_OK):
            raise UserError(f"Cannot read {path}: check --tls-cert and --tls-key.")
    return certificate, key


def server_settings(options: Options) -> ServerSettings:
    """How to serve, from options and environment.

    Raises:
        UserError: an option is not what it should be.
    """
    token = options.token or os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not is_loopback(options.host):
        token = secrets.token_urlsafe(16)
    return ServerSettings(
        token=token,
        origins=options.allow_origin,
        servers=[parse_server(text) for text in (*options.ice, *os.environ.get(ICE_VARIABLE, "").split())],
        most_viewers=options.max_viewers,
        most_sessions=options.max_sessions,
        bit_rate=options.bitrate and options.bitrate * 1000,
        publish=_web_address(options.publish),
        publish_token=os.environ.get(PUBLISH_VARIABLE) or None,
    )


def _web_address(text: str | None) -> str | None:
    if text is not None and not text.startswith(("http://", "https://")):
        raise UserError("--publish wants the http(s) address of a WHIP endpoint.")
    return text


def stop_by_signals(ended: threading.Event) -> None:
    """Have Ctrl-C, a service manager, or a terminal that closes set an event instead of ending the process."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), lambda *_: ended.set())


class Stopper:
    """Sets an event after some frames."""

    def __init__(self, frames: int | None, enough: threading.Event) -> None:
        self._left, self._enough = frames, enough

    def put(self, _: Generated) -> None:
        """Count a frame."""
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


def _address(options: Options, port: int, settings: ServerSettings, secure: bool) -> str:
    """What to open in a browser. The token stands behind the #, which a browser keeps to itself."""
    host = "localhost" if is_loopback(options.host) else options.host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    address = f"{'https' if secure else 'http'}://{host}:{port}"
    return f"{address}/#token={settings.token}" if settings.token else address


def run(options: Options) -> None:
    """Run the live loop until it ends.

    Raises:
        UserError: something the user can mend; see its text.
    """
    logs.set_up(options.log_json)
    compute_on_one_thread()
    if options.output is not None:
        check_output(options.output, options.overwrite)
    settings = server_settings(options)
    with contextlib.ExitStack() as closing:
        bound = None
        if not options.no_server:
            bound = closing.enter_context(listen(options.host, options.port))
        tls = certificate(options)
        gpu, where = choose(options.device)
        pipeline, path = build_pipeline(
            options.target, options.source, options.source_settings, gpu, options.max_sessions == 1
        )
        if options.size not in (None, pipeline.target.size):
            size = pipeline.target.size
            raise UserError(f"The target {path} makes images of {size} px: leave --size out or train it anew.")
        pipeline.update(mode=options.mode)
        ended = threading.Event()
        stop_by_signals(ended)
        pipeline.on_end = ended.set
        if options.output is not None:
            pipeline.sinks.append(closing.enter_context(contextlib.closing(Recorder(options.output))).put)
        pipeline.sinks.append(Stopper(options.frames, ended).put)
        _announce(pipeline, path, where)
        warm_up(pipeline, ended)
        pipeline.start()
        if bound is None:
            ended.wait()
        else:
            server = Server(pipeline, Gallery(pipeline.model, TARGET_FOLDERS, path, gpu=gpu), settings)
            print(f"open {_address(options, bound.getsockname()[1], settings, tls is not None)}", flush=True)
            if tls is None and not is_loopback(options.host):
                print("(browsers give their camera to secure pages only: add --self-signed, or --tls-cert)", flush=True)
            asyncio.run(serve(server, bound, ended, tls))
        pipeline.stop()
        if pipeline.error is not None:
            raise pipeline.error


def _announce(pipeline: Pipeline, path: Path, where: str) -> None:
    """Say what was opened."""
    print(f"target: {pipeline.target.title} ({path.name})")
    print(f"generator: {pipeline.loaded.generator.description}")
    print(f"device: {where}")
    print(f"source: {pipeline.source.name}")
    print("getting ready (the first start compiles for this CPU, up to half a minute)", flush=True)
