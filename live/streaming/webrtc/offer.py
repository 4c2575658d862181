"""What of a peer's offer is taken: as much as can be answered quickly, and candidates where the peer itself may be."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_CANDIDATES = 64  # of a connection; a browser on a laptop has about ten
_MOST_SECTIONS = 8  # audio, video, data, and spare
_MOST_LINES = 600  # a browser sends about 300; for some lines aiortc's parser takes quadratic time
_CANDIDATE = "a=candidate:"
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class BadOffer(Exception):
    """The peer's offer cannot be read; the text says why."""


class Unacceptable(Exception):
    """The offer can be read, but not be answered; the text says why."""


@dataclass
class Section:
    """A media section of an offer.

    Attributes:
        kind: ``audio``, ``video`` or ``application``.
        direction: as the peer sees it.
        codecs: names in capitals, e.g. ``H264``.
    """

    kind: str
    direction: str = "sendrecv"
    codecs: set[str] = field(default_factory=set)

    @property
    def sends(self) -> bool:
        """Whether the peer would send."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether the peer would receive."""
        return self.direction in ("sendrecv", "recvonly")


@dataclass(frozen=True)
class Offer:
    """An offer to answer.

    Attributes:
        sdp: without the candidates that are not used.
        sections: what it speaks of, but for sections that it rejects itself.
        candidates: how many there are in it.
        user_fragment: the ICE user fragment: it changes when a peer restarts ICE.
    """

    sdp: str
    sections: list[Section]
    candidates: int
    user_fragment: str | None

    def of(self, kind: str) -> list[Section]:
        """Sections of a kind."""
        return [section for section in self.sections if section.kind == kind]


def read_offer(text: str, client: str) -> Offer:
    """Check an offer's form, in time linear in its length.

    Args:
        text: the SDP.
        client: IP address that it came from.

    Raises:
        BadOffer: it is no SDP, or longer than a browser's.
    """
    if not text.startswith(("v=0\r\n", "v=0\n")):
        raise BadOffer("The offer is no SDP: it begins with the line v=0.")
    lines: list[str] = []
    candidates = 0
    for line in text.splitlines():
        if line.startswith(_CANDIDATE):
            if candidates >= MOST_CANDIDATES or not _usable(line, client):
                continue
            candidates += 1
        lines.append(line)
    if len(lines) - candidates > _MOST_LINES:
        raise BadOffer(f"The offer has {len(lines)} lines: this server takes at most {_MOST_LINES}.")
    count = sum(line.startswith("m=") for line in lines)
    if count > _MOST_SECTIONS:
        raise BadOffer(f"The offer has {count} media sections: this server takes at most {_MOST_SECTIONS}.")
    sdp = "".join(f"{line}\r\n" for line in lines)
    return Offer(sdp, list(_sections(lines)), candidates, user_fragment(sdp))


def check_viewer(offer: Offer) -> None:
    """Whether a viewer can be answered (WHEP).

    Raises:
        Unacceptable: it asks for nothing that can be sent; the text says why.
    """
    videos = offer.of("video")
    if not videos:
        raise Unacceptable("The offer asks for no video: this server sends video, and sound with it.")
    if not videos[0].receives:
        raise Unacceptable(f"The offer's video is {videos[0].direction}: a viewer receives; a camera is sent to /whip.")
    _check_codecs(videos[0], "sends")


def check_publisher(offer: Offer) -> None:
    """Whether a publisher can be answered (WHIP).

    Raises:
        Unacceptable: it brings no video, or too much; the text says why.
    """
    videos, sounds = offer.of("video"), offer.of("audio")
    if not videos:
        raise Unacceptable("The offer brings no video: this server wants one, and sound with it if there is any.")
    if len(videos) > 1 or len(sounds) > 1:
        raise Unacceptable(
            f"The offer brings {len(videos)} video and {len(sounds)} audio sections: send one video and at most one "
            "audio section."
        )
    if not videos[0].sends:
        raise Unacceptable(f"The offer's video is {videos[0].direction}: a publisher sends; viewers use /whep.")
    _check_codecs(videos[0], "receives")


def reachable(address: str, client: str) -> bool:
    """Whether a peer that came from ``client`` may also be at ``address``, both IP addresses.

    Otherwise an offer could have this server send packets to machines of its own network. Names (``.local``) are left
    out: resolving one takes aioice a second, and none is needed.
    """
    place, home = _ip(address), _ip(client)
    if place is None or home is None or place.is_multicast or place.is_unspecified:
        return False
    if place.is_loopback:
        return home.is_loopback
    return place.is_global or not home.is_global


def user_fragment(sdp: str) -> str | None:
    """The ICE user fragment of a description."""
    match = re.search(r"^a=ice-ufrag:(\S+)", sdp, re.MULTILINE)
    return match[1] if match else None


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _usable(line: str, client: str) -> bool:
    words = line.split()  # foundation, component, protocol, priority, address, port, "typ", type, …
    port = words[5] if len(words) >= 8 else ""
    return bool(re.fullmatch(r"[0-9]{1,5}", port)) and 0 < int(port) < 65536 and reachable(words[4], client)


def _sections(lines: list[str]) -> Iterator[Section]:
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    for first, last in itertools.pairwise([*starts, len(lines)]):
        words = lines[first][2:].split()
        # A bundled section has port 0 too, where it says so (RFC 8843).
        if len(words) < 2 or (words[1] == "0" and "a=bundle-only" not in lines[first:last]):
            continue
        section = Section(words[0])
        for line in lines[first + 1 : last]:
            if line[2:] in _DIRECTIONS:
                section.direction = line[2:]
            elif line.startswith("a=rtpmap:"):
                section.codecs.add(line.partition(" ")[2].partition("/")[0].upper())
        yield section


def _check_codecs(section: Section, verb: str) -> None:
    if not section.codecs & {"H264", "VP8"}:
        offered = ", ".join(sorted(section.codecs - {"RTX", "RED", "ULPFEC", "FLEXFEC-03"})[:8]) or "none"
        raise Unacceptable(f"The offer knows the video codecs {offered}: this server {verb} H.264 and VP8.")
