"""WHIP (RFC 9725) and WHEP: an SDP offer in, an answer and the URL of a resource out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from live.streaming.session import Session
from live.streaming.webrtc.ice import IceServer, parse_fragment
from live.streaming.webrtc.offer import BadOffer, Unacceptable
from live.streaming.webrtc.peers import Peer, Peers, Taken

_WHIP = ("/whip", "/whip/")  # users type either
_SDP, _FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
_LARGEST_BODY = 64 * 1024
_RETRY_S = 5
_LONGEST_HOLD_MS = 1000
_NO_CONNECTION = "There is no such connection (any more)."
WATCH_RELATION = "urn:head2head:whep"  # of a link to where a publisher's session can be watched


class TooLarge(Exception):
    """A body beyond what a description needs."""


async def read_body(request: Request, largest: int = _LARGEST_BODY) -> str:
    """A request's body as text.

    Raises:
        TooLarge: it is longer than ``largest`` bytes.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise TooLarge
    return body.decode("utf-8", errors="replace")


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


class Signaling:
    """The HTTP side of connections.

    Args:
        peers: gives the connections, once the server runs.
        find: gives the session of a key, once the server runs.
        servers: ICE servers that clients may use.
    """

    def __init__(
        self, peers: Callable[[], Peers], find: Callable[[str], Session | None], servers: Sequence[IceServer] = ()
    ) -> None:
        self._peers, self._find = peers, find
        self._links = {"Link": ", ".join(server.link() for server in servers)} if servers else {}

    def routes(self) -> list[Route]:
        """Endpoints ``/whip``, ``/whep`` and ``/sessions/KEY/whep``, and the resources ``/whip/KEY``, ``/whep/KEY``.

        Beyond the standards: ``/whep/KEY/hold``, for how long a viewer wants its frames held back.
        """
        others = ["GET", "HEAD", "PUT"]  # RFC 9725 wants 405 for these
        routes = []
        for path in (*_WHIP, "/whep", "/whep/", "/sessions/{session}/whep"):
            routes.append(Route(path, self.endpoint, methods=["POST", "OPTIONS"]))
            routes.append(Route(path, self.refuse, methods=[*others, "PATCH", "DELETE"]))
        for path in ("/whip/{key}", "/whep/{key}"):
            routes.append(Route(path, self.resource, methods=["PATCH", "DELETE", "OPTIONS"]))
            routes.append(Route(path, self.refuse, methods=[*others, "POST"]))
        routes.append(Route("/whep/{key}/hold", self.hold, methods=["PUT"]))
        return routes

    async def refuse(self, request: Request) -> Response:
        """A method that neither kind of URL knows."""
        allowed = "PATCH, DELETE, OPTIONS" if "key" in request.path_params else "POST, OPTIONS"
        return PlainTextResponse("This address does not know that method.", 405, {"Allow": allowed})

    async def endpoint(self, request: Request) -> Response:
        """Open a connection."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": "POST, OPTIONS", "Accept-Post": _SDP, **self._links})
        if _kind(request) != _SDP:
            return PlainTextResponse(f"Send an offer as {_SDP}.", 415, {"Accept-Post": _SDP})
        publishes = request.url.path in _WHIP
        session = self._find(request.path_params.get("session", ""))
        if session is None:
            return PlainTextResponse("There is no such session (any more).", 404)
        client = request.client.host if request.client else ""
        try:
            offer = await read_body(request)
            if publishes:
                peer, sdp = await self._peers().publish(offer, client)
            else:
                peer, sdp = await self._peers().view(session, offer, client)
        except TooLarge:
            return PlainTextResponse("The offer is too large.", 413)
        except ClientDisconnect:
            return PlainTextResponse("The offer broke off.", 400)
        except BadOffer as error:
            return PlainTextResponse(str(error), 400)
        except Unacceptable as error:
            return PlainTextResponse(str(error), 422)
        except Taken as error:
            return PlainTextResponse(str(error), 409 if publishes else 503, {"Retry-After": str(_RETRY_S)})
        location = f"/{'whip' if publishes else 'whep'}/{peer.key}"
        headers = {"Location": location, "ETag": f'"{peer.tag}"', "Accept-Patch": _FRAGMENT, **self._links}
        if publishes and peer.session.key:
            watch = f'</sessions/{peer.session.key}/whep>; rel="{WATCH_RELATION}"'
            headers["Link"] = ", ".join(filter(None, [self._links.get("Link"), watch]))
        return Response(sdp, 201, headers, media_type=_SDP)

    async def resource(self, request: Request) -> Response:
        """Add candidates to a connection, or end it."""
        publishes = request.url.path.startswith("/whip/")
        peer = self._peers().find(request.path_params["key"], publishes)
        if peer is None:
            return PlainTextResponse(_NO_CONNECTION, 404)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": "PATCH, DELETE, OPTIONS", "Accept-Patch": _FRAGMENT})
        if request.method == "DELETE":
            await self._peers().close(peer)
            return Response(status_code=200)
        return await self._patch(request, peer)

    async def hold(self, request: Request) -> Response:
        """A viewer's frames are to wait for sound that it hears later than it sees them."""
        peer = self._peers().find(request.path_params["key"], publishes=False)
        if peer is None:
            return PlainTextResponse(_NO_CONNECTION, 404)
        try:
            milliseconds = int(await read_body(request, largest=16))
        except (TooLarge, ClientDisconnect, ValueError):
            milliseconds = -1
        if not 0 <= milliseconds <= _LONGEST_HOLD_MS:
            return PlainTextResponse(f"Send a whole number of milliseconds, 0 to {_LONGEST_HOLD_MS}.", 400)
        self._peers().hold_back(peer, milliseconds)
        return Response(status_code=204)

    async def _patch(self, request: Request, peer: Peer) -> Response:
        """Trickle (RFC 9725, 4.3.1). aiortc cannot restart ICE, which the RFC answers with 422 (4.3.2)."""
        if _kind(request) != _FRAGMENT:
            return PlainTextResponse(f"Send candidates as {_FRAGMENT}.", 415, {"Accept-Patch": _FRAGMENT})
        # WHEP's own clients leave the condition out, and there is but one generation that they can mean.
        current = f'"{peer.tag}"'
        condition = request.headers.get("if-match", None if peer.publishes else current)
        if condition is None:
            return PlainTextResponse("Say which ICE generation is meant, with If-Match.", 428)
        try:
            fragment = parse_fragment(await read_body(request))
        except TooLarge:
            return PlainTextResponse("The fragment is too large.", 413)
        except ClientDisconnect:
            return PlainTextResponse("The fragment broke off.", 400)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        if condition.strip() == "*" or fragment.user_fragment not in (None, peer.user_fragment):
            return PlainTextResponse("ICE cannot be restarted here: open a new connection.", 422)
        if current not in (tag.strip() for tag in condition.split(",")):
            return PlainTextResponse("That ICE generation is not the current one.", 412)
        await self._peers().trickle(peer, fragment)
        return Response(status_code=204)
