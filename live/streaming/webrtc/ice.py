"""STUN and TURN servers, and the fragments of SDP by which candidates trickle in (RFC 8840)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiortc import RTCIceCandidate, RTCIceServer
from aiortc.sdp import candidate_from_sdp

from face.errors import UserError

_SERVER = re.compile(
    r"(?P<scheme>stuns?|turns?):((?P<user>[^:@\s]+):(?P<password>[^@\s]+)@)?(?P<host>[^@:?\s]+|\[[^\]\s]+\])"
    r"(:(?P<port>\d+))?(\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server; ``url`` is without user and password."""

    url: str
    user: str | None = None
    password: str | None = None

    def for_aiortc(self) -> RTCIceServer:
        """As aiortc wants it."""
        return RTCIceServer(self.url, self.user, self.password)

    def link(self) -> str:
        """As a ``Link`` header tells clients of it (RFC 9725, 4.6)."""
        words = [f"<{self.url}>", 'rel="ice-server"']
        if self.user is not None:
            words += [f'username="{self.user}"', f'credential="{self.password}"', 'credential-type="password"']
        return "; ".join(words)


def parse_server(text: str) -> IceServer:
    """A server from ``stun:HOST[:PORT]`` or ``turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp]``.

    Raises:
        UserError: it is neither; the text is not repeated, since it may hold a password.
    """
    match = _SERVER.fullmatch(text)
    if match is None or (match["scheme"].startswith("turn")) != (match["user"] is not None):
        raise UserError("An ICE server is written stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT[?transport=tcp].")
    url = f"{match['scheme']}:{match['host']}"
    url += f":{match['port']}" if match["port"] else ""
    url += f"?transport={match['transport']}" if match["transport"] else ""
    return IceServer(url, match["user"], match["password"])


@dataclass(frozen=True)
class Fragment:
    """What a client adds to its offer: candidates, whether they are all, and the ICE generation they belong to."""

    candidates: list[RTCIceCandidate]
    complete: bool
    user_fragment: str | None


def parse_fragment(text: str) -> Fragment:
    """Read a body of type ``application/trickle-ice-sdpfrag``.

    Raises:
        ValueError: it is none; the text says why.
    """
    candidates: list[RTCIceCandidate] = []
    complete, user_fragment, mid, index = False, None, None, -1
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if line.startswith("m="):
            index, mid = index + 1, None
        elif name == "a=mid":
            mid = value
        elif name == "a=ice-ufrag":
            user_fragment = value
        elif line == "a=end-of-candidates":
            complete = True
        elif name == "a=candidate":
            try:
                candidate = candidate_from_sdp(value)
            except Exception:  # aiortc's parser raises whatever its code runs into
                raise ValueError("A candidate cannot be read.") from None
            candidate.sdpMid, candidate.sdpMLineIndex = mid, max(index, 0)
            candidates.append(candidate)
        elif line and not re.match(r"[a-z]=", line):
            raise ValueError("This is no fragment of SDP.")
    if not candidates and not complete and user_fragment is None:
        raise ValueError("The fragment says nothing.")
    return Fragment(candidates, complete, user_fragment)
