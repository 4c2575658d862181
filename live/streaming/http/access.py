"""Who may ask for what: token, role, origin, host, rate; and the headers that keep the page to itself.

``cors.py`` tells browsers of the origins that may.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SUBPROTOCOL = "head2head"  # of the WebSocket
_TOKEN_SUBPROTOCOL = "token."  # the page cannot give a WebSocket headers, and addresses end up in logs
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_VIEWER_MAY = re.compile(r"/(status|targets|targets/.*|whep/?|whep/.*)|(/sessions/[^/]+)?/(whep/?|mjpeg|live)")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; media-src 'self' blob: mediastream:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}
_CACHE = "no-cache"  # unless an answer says otherwise: after an update no page may mix old and new modules
_BURST, _PER_S = 60.0, 20.0  # requests that change something, per address
_WRONG_BURST, _WRONG_PER_S = 30.0, 1.0  # wrong tokens, per address
_MOST_ADDRESSES = 4096


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"  # watch
    OPERATOR = "operator"  # and send a camera, change settings, read metrics


@dataclass(frozen=True)
class Tokens:
    """What operators and viewers must show; ``None`` for operators where only this machine can connect."""

    operator: str | None = None
    viewer: str | None = None

    def role(self, token: str) -> Role | None:
        """Whose token it is; everybody is an operator where none is required."""
        if self.operator is None or _equal(token, self.operator):
            return Role.OPERATOR
        return Role.VIEWER if self.viewer is not None and _equal(token, self.viewer) else None


def _equal(first: str, second: str) -> bool:
    return hmac.compare_digest(first.encode(errors="replace"), second.encode(errors="replace"))


class Allowance:
    """A bucket of requests for each address, refilled steadily; the longest idle addresses are forgotten first."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now_s: float) -> bool:
        """Whether one more request is granted."""
        left = self._now_left(address, now_s)
        granted = left >= 1
        self._left[address] = (left - granted, now_s)
        if len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return granted

    def spent(self, address: str, now_s: float) -> bool:
        """Whether the next request would be refused."""
        left = self._now_left(address, now_s)
        if left < self._burst:
            self._left[address] = (left, now_s)
        return left < 1

    def _now_left(self, address: str, now_s: float) -> float:
        left, then_s = self._left.pop(address, (self._burst, now_s))
        return min(self._burst, left + (now_s - then_s) * self._per_s)


class Guard:
    """Stands before the application, and lets nobody in whom it does not know.

    What a request may do it leaves in the scope as ``role``.

    Args:
        app: what is guarded.
        tokens: what operators and viewers must show.
        origins: pages of other addresses that may use the server, e.g. ``https://example.org``.
        public: paths for which no token is required; every other path requires it, whether there is anything or not.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, origins: Container[str] = (), public: Container[str] = ()) -> None:
        self._app, self._tokens, self._origins, self._public = app, tokens, origins, public
        self._allowance = Allowance(_BURST, _PER_S)
        self._guesses = Allowance(_WRONG_BURST, _WRONG_PER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out.setdefault("cache-control", _CACHE)
                for name, value in _HEADERS.items():
                    out[name] = value
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._wrong_place(headers) or self._unknown(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "http":
            await refusal(scope, receive, send_with_headers)
        else:
            await receive()  # the handshake; closing before accepting answers 403
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})

    def _wrong_place(self, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._tokens.operator is None and _host_name(host) not in _LOOPBACK:
            # A name that leads a browser here by DNS would make another's page look like our own. Starlette's own
            # middleware would answer 400, which means something else (RFC 9110, 15.5.20).
            return PlainTextResponse("This server answers to localhost only.", 421)
        own = origin is None or _place(origin) == host.lower()
        if not own and origin not in self._origins:
            return PlainTextResponse("Pages of other addresses may not use this server.", 403)
        return None

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] in self._public:
            return None
        method, now_s = scope.get("method", "GET"), time.monotonic()
        address = scope["client"][0] if scope.get("client") else ""
        if (method in ("POST", "PATCH") or scope["type"] == "websocket") and not self._allowance.take(address, now_s):
            return _too_many()
        token = request_token(headers)
        if self._tokens.operator is not None and self._guesses.spent(address, now_s):
            return _too_many()  # whatever the token: an answer would tell which guess was right
        role = self._tokens.role(token)
        if role is None:
            if method == "OPTIONS":  # some clients ask first, without the token, and learn only that they may ask
                return Response(status_code=204, headers={"Allow": "POST, PATCH, DELETE, OPTIONS"})
            if token:
                self._guesses.take(address, now_s)
            return PlainTextResponse("This server wants a token.", 401, {"WWW-Authenticate": "Bearer"})
        if role is Role.VIEWER and not _VIEWER_MAY.fullmatch(scope["path"]):
            return PlainTextResponse("This is for operators only: your token is a viewer's.", 403)
        scope["role"] = role
        return None


def _too_many() -> Response:
    return PlainTextResponse("Too many requests: wait a moment.", 429, {"Retry-After": "1"})


def _place(origin: str) -> str:
    """Host and port of an origin; nothing where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def subprotocol(token: str) -> str:
    """The WebSocket subprotocol that shows a token."""
    return _TOKEN_SUBPROTOCOL + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def request_token(headers: Headers) -> str:
    """The token that a request carries, in its ``Authorization`` or, as base64url, among its WebSocket subprotocols."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        if offered.strip().startswith(_TOKEN_SUBPROTOCOL):
            return _decoded(offered.strip().removeprefix(_TOKEN_SUBPROTOCOL))
    return ""


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return text  # wrong, but a guess
