"""Connections that take too long, or too many: what a server that anybody can reach must bear."""

from __future__ import annotations

import asyncio
import asyncio.constants
import errno
import logging
import time
from typing import Any

import h11
from aiortc.exceptions import InvalidStateError
from uvicorn.protocols.http.h11_impl import H11Protocol

from live.streaming.http.links import is_loopback

COMPLETE_S = 10.0  # for a TLS handshake, and for a request: its header and its body
MOST_OF_ADDRESS = 256  # connections of one address: many pages behind one router
_OF_HANDLES = 0.5  # share of the process's handles for HTTP; viewers' UDP needs some too
_QUIET_S = 60.0  # between two lines about connections that cannot be taken
_NO_HANDLES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
logger = logging.getLogger(__name__)


class Http(H11Protocol):
    """uvicorn's HTTP, with an end to its patience: it waits for ever for the rest of a request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or cut it off where there are too many."""
        super().connection_made(transport)
        here = self.client[0] if self.client else None
        same = sum(_address(other) == here for other in self.connections)
        if len(self.connections) > _most_connections() or (not _is_loopback(here) and same > MOST_OF_ADDRESS):
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read, and wait for the rest while a request is incomplete."""
        super().data_received(data)
        incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if self.transport.get_protocol() is self and incomplete:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(COMPLETE_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def limit_handshakes() -> None:
    """End TLS handshakes that take too long; uvicorn leaves asyncio's minute, and has no option for it."""
    asyncio.constants.SSL_HANDSHAKE_TIMEOUT = COMPLETE_S


class ErrorLog:
    """An event loop's exception handler that does not flood the log.

    asyncio reports each connection that it cannot take for want of handles, thousands a second.
    """

    def __init__(self) -> None:
        self._said_s = -_QUIET_S

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report an exception that nobody awaits."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_HANDLES:
            if time.monotonic() - self._said_s >= _QUIET_S:
                self._said_s = time.monotonic()
                logger.error("no more connections can be taken (%s): raise the limit of open files", error.strerror)
        elif isinstance(error, InvalidStateError) and "closed" in str(error):
            logger.info("a peer left while it was connecting: %s", error)  # aiortc's, of a transport
        else:
            loop.default_exception_handler(context)


def _address(connection: object) -> str | None:
    client = getattr(connection, "client", None)
    return client[0] if client else None


def _most_connections() -> int:
    try:
        import resource
    except ImportError:  # not on Windows
        return 1000
    return int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _OF_HANDLES)


def _is_loopback(address: str | None) -> bool:
    return address is None or is_loopback(address)
