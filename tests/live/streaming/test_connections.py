"""Connections that take too long, or too many."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import socket
import ssl
import subprocess
import sys

import httpx
import pytest
from conftest import REPOSITORY
from live_parts import pipeline
from live_serving import serving

from live.sources.browser import NoSource
from live.streaming.http import connections
from live.streaming.http.tls import self_signed

pytestmark = pytest.mark.server
HALF_HEADER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
HALF_BODY = b"POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 99\r\n\r\nv=0"
REFUSED_HALF_BODY = HALF_BODY.replace(b"Host: localhost", b"Host: stranger")
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def ends(address: str, begins: bytes, then: bytes = b"") -> bytes:
    """What comes on a connection until the server closes it."""
    url = httpx.URL(address)
    with socket.create_connection((url.host, url.port), timeout=30) as connection:
        connection.sendall(begins)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(4096):
                received += piece
                if then:
                    connection.sendall(then)
                    then = b""
        return received


@pytest.mark.parametrize("begins", [b"", HALF_HEADER, HALF_BODY, REFUSED_HALF_BODY])
def test_a_request_that_does_not_come_to_its_end_is_cut_off(model, module_target, monkeypatch, begins):
    monkeypatch.setattr(connections, "COMPLETE_S", 0.5)
    with serving(pipeline(model, module_target, NoSource(), drop=True)) as address:
        received = ends(address, begins)
        assert b"201" not in received and (begins is REFUSED_HALF_BODY) == (b"421" in received)
        assert ends(address, WHOLE, HALF_HEADER).count(b"200 OK") == 1  # and so is the next one
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_a_handshake_that_does_not_come_to_its_end_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "COMPLETE_S", 0.5)
    monkeypatch.setattr(asyncio.constants, "SSL_HANDSHAKE_TIMEOUT", 60.0)
    connections.limit_handshakes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path, "localhost"))

    async def work() -> bytes:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            with contextlib.closing(writer), contextlib.suppress(ConnectionResetError):
                return await asyncio.wait_for(reader.read(), 30)
        return b""

    assert asyncio.run(work()) == b""


def test_one_address_has_no_more_connections_than_its_share(model, module_target, monkeypatch):
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 3)
    monkeypatch.setattr(connections, "_is_loopback", lambda _: False)
    with serving(pipeline(model, module_target, NoSource(), drop=True)) as address, contextlib.ExitStack() as stack:
        url = httpx.URL(address)
        for _ in range(3):
            stack.enter_context(socket.create_connection((url.host, url.port))).sendall(HALF_HEADER)
        assert ends(address, WHOLE) == b""
    with serving(pipeline(model, module_target, NoSource(), drop=True)) as address:
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_http_leaves_handles_to_others(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert connections._most_connections() == 512


def test_running_out_of_handles_is_said_once_a_minute(monkeypatch, caplog):
    clock = [0.0]
    monkeypatch.setattr(connections.time, "monotonic", lambda: clock[0])
    log, loop = connections.ErrorLog(), asyncio.new_event_loop()
    for _ in range(1000):
        log(loop, {"message": "socket.accept()", "exception": OSError(errno.EMFILE, "Too many open files")})
        clock[0] += 0.1
    loop.close()
    assert len(caplog.records) == 2 and "Too many open files" in caplog.text


def test_other_errors_are_told_as_ever(caplog):
    loop = asyncio.new_event_loop()
    connections.ErrorLog()(loop, {"message": "trouble", "exception": ValueError("a bug")})
    loop.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] and "trouble" in caplog.text


FLOOD = """
import asyncio, resource, socket, threading, time, sys, logging
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
logging.basicConfig()
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
import uvicorn
from live.streaming.http.connections import ErrorLog, Http
bound = socket.create_server(("127.0.0.1", 0))
app = Starlette(routes=[Route("/healthz", lambda _: PlainTextResponse("ok"))])
async def main():
    asyncio.get_running_loop().set_exception_handler(ErrorLog())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, http=Http, backlog=16))
    print(bound.getsockname()[1], flush=True)
    await server.serve(sockets=[bound])
asyncio.run(main())
"""


def test_more_connections_than_handles_neither_flood_the_log_nor_end_the_server():
    process = subprocess.Popen([sys.executable, "-c", FLOOD], cwd=REPOSITORY, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    try:
        port = int(process.stdout.readline())
        with contextlib.ExitStack() as stack:
            for _ in range(120):
                with contextlib.suppress(OSError):
                    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                    connection.sendall(HALF_HEADER)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).text == "ok"
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert len(errors.splitlines()) < 10, errors
