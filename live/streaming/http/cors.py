"""What pages of other origins may do and read, where they are let in."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp


class Cors(CORSMiddleware):
    """CORS for WHIP's and WHEP's clients: a preflight is answered without a body, and says what can be read later.

    Args:
        app: what is asked.
        origins: of the pages, e.g. ``https://example.org``.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
            allow_headers=("Authorization", "Content-Type", "If-Match"),
            expose_headers=("Location", "ETag", "Link", "Accept-Patch", "Retry-After"),
            allow_private_network=True,  # who named the origin knows where this server is
        )
        self.preflight_headers |= self.simple_headers

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks whether its page may ask."""
        answer = super().preflight_response(request_headers)
        if answer.status_code != 200:
            return answer
        return Response(status_code=204, headers={k: v for k, v in answer.headers.items() if k[:8] != "content-"})
