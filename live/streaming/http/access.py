"""Who may ask for what: token, origin, host, rate; and the headers that keep the page to itself.

``cors.py`` tells browsers of the origins that may.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import OrderedDict
from collections.abc import Container
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SUBPROTOCOL = "head2head"  # of the WebSocket
_TOKEN_SUBPROTOCOL = "token."  # the page cannot give a WebSocket headers, and addresses end up in logs
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; media-src 'self' blob: mediastream:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}
_BURST, _PER_S = 60.0, 20.0  # requests that change something, per address
_MOST_ADDRESSES = 4096


class Allowance:
    """A bucket of requests for each address, refilled steadily; the longest idle addresses are forgotten first."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now_s: float) -> bool:
        """Whether one more request is granted."""
        left, then_s = self._left.pop(address, (self._burst, now_s))
        left = min(self._burst, left + (now_s - then_s) * self._per_s)
        granted = left >= 1
        self._left[address] = (left - granted, now_s)
        if len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return granted


class Guard:
    """Stands before the application, and lets nobody in whom it does not know.

    Args:
        app: what is guarded.
        token: what everybody must show; ``None`` where only this machine can connect.
        origins: pages of other addresses that may use the server, e.g. ``https://example.org``.
        public: paths for which no token is wanted; every other path wants it, whether there is anything or not.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, origins: Container[str] = (), public: Container[str] = ()
    ) -> None:
        self._app, self._token, self._origins, self._public = app, token, origins, public
        self._allowance = Allowance(_BURST, _PER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        foreign = self._foreign_origin(headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    out[name] = value
            await send(message)

        refusal = self._refusal(scope, headers, foreign)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "http":
            await refusal(scope, receive, send_with_headers)
        else:
            await receive()  # the handshake; closing before accepting answers 403
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})

    def _foreign_origin(self, headers: Headers) -> str | None:
        """The asking page's origin, if it is not this server's own."""
        origin = headers.get("origin")
        if origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower():
            return None
        return origin

    def _refusal(self, scope: Scope, headers: Headers, foreign: str | None) -> Response | None:
        if self._token is None and urlsplit(f"//{headers.get('host', '')}").hostname not in _LOOPBACK:
            # A name that leads a browser here by DNS would make another's page look like our own. Starlette's own
            # middleware would answer 400, which means something else (RFC 9110, 15.5.20).
            return PlainTextResponse("This server answers to localhost only.", 421)
        if foreign is not None and foreign not in self._origins:
            return PlainTextResponse("Pages of other addresses may not use this server.", 403)
        if scope["path"] in self._public:
            return None
        method = scope.get("method", "GET")
        address = scope["client"][0] if scope.get("client") else ""
        if (method in ("POST", "PATCH") or scope["type"] == "websocket") and not self._allowance.take(
            address, time.monotonic()
        ):
            return PlainTextResponse("Too many requests: wait a moment.", 429, {"Retry-After": "1"})
        if self._token is None or hmac.compare_digest(shown_token(headers).encode(), self._token.encode()):
            return None
        if method == "OPTIONS":  # some clients ask first, without the token; they learn nothing but that they may ask
            return Response(status_code=204, headers={"Allow": "POST, PATCH, DELETE, OPTIONS"})
        return PlainTextResponse("This server wants a token.", 401, {"WWW-Authenticate": "Bearer"})


def shown_token(headers: Headers) -> str:
    """The token that a request carries, in its ``Authorization`` or, as base64url, among its WebSocket subprotocols."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    for one in headers.get("sec-websocket-protocol", "").split(","):
        if one.strip().startswith(_TOKEN_SUBPROTOCOL):
            return _decoded(one.strip().removeprefix(_TOKEN_SUBPROTOCOL))
    return ""


def _decoded(text: str) -> str:
    """A token from base64url without padding; empty if it is none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeError):
        return ""
