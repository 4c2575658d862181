"""Runs the server: a socket, uvicorn, and the loop that it serves once it is prepared."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from face.errors import UserError
from live.pipeline import Pipeline
from live.streaming.http.connections import Http, limit_handshakes
from live.streaming.http.server import Server
from live.target_gallery import Gallery

_LARGEST_MESSAGE = 64 * 1024
_GOODBYE_S = 0.5
_BACKLOG = 16  # asyncio tries so many connections at a time, and reports each that it has no handle for


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: the address is taken or not ours.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if host == "::" and socket.has_dualstack_ipv6():
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # every address of both families
    try:
        bound.bind((host, port))
        bound.listen(128)  # from now on nobody else can have the port
    except OSError as error:
        bound.close()
        foreign = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        remedy = "give an address of this machine with --host" if foreign else "choose another with --port"
        raise UserError(f"Cannot serve on {host}:{port} ({error.strerror}): {remedy}.") from None
    return bound


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again once it has stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


async def serve(
    server: Server,
    bound: socket.socket,
    ended: threading.Event,
    prepare: Callable[[], tuple[Pipeline, Gallery]],
    tls: tuple[Path, Path] | None = None,
) -> Pipeline:
    """Serve at once, and a loop as soon as it is prepared, until it has ended; then tell the viewers and stop.

    Args:
        server: what is served.
        bound: a listening socket.
        ended: set when the loop has ended, or to end.
        prepare: makes the loop, ready to be started, and the targets to choose from; runs on a thread.
        tls: certificate and key.

    Returns:
        the loop.

    Raises:
        UserError: the certificate cannot be used, or what ``prepare`` raises.
    """
    running = _Server(_configuration(server, tls))
    serving = asyncio.create_task(running.serve(sockets=[bound]))
    preparing = asyncio.create_task(_open(server, ended, prepare))
    waiting = asyncio.create_task(asyncio.to_thread(ended.wait))
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.say_goodbye(), _GOODBYE_S)
    running.should_exit = True
    ended.set()
    await serving
    await waiting
    return await preparing


async def _open(server: Server, ended: threading.Event, prepare: Callable[[], tuple[Pipeline, Gallery]]) -> Pipeline:
    try:
        pipeline, gallery = await asyncio.to_thread(prepare)
        if not ended.is_set():
            server.open(pipeline, gallery)
            pipeline.start()
        return pipeline
    except BaseException:
        ended.set()
        raise


def _configuration(server: Server, tls: tuple[Path, Path] | None) -> uvicorn.Config:
    limit_handshakes()
    config = uvicorn.Config(
        server.app, log_config=None, access_log=False, http=Http, ws="websockets-sansio", ws_max_size=_LARGEST_MESSAGE,
        server_header=False, timeout_graceful_shutdown=2, backlog=_BACKLOG,
        ssl_certfile=tls and tls[0], ssl_keyfile=tls and tls[1],
    )  # fmt: skip
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise UserError(f"The certificate cannot be used ({error}): check --tls-cert and --tls-key.") from None
    return config
