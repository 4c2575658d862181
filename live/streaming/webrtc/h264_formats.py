"""H.264 that aiortc can decode but does not negotiate: other profiles than Baseline, and packetization mode 0."""

from __future__ import annotations

import re

_RTPMAP = re.compile(r"^a=rtpmap:(\d+) H264/90000\r\n", re.MULTILINE | re.IGNORECASE)
_KNOWN = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"  # to aiortc


def as_known(sdp: str) -> tuple[str, dict[str, str]]:
    """An offer with its H.264 formats under the name of one that aiortc knows, if it knows none of the offer's.

    libavcodec decodes every profile, and mode 0 only sends less than mode 1 may.

    Returns:
        the offer, and of each changed payload type the lines ``a=fmtp:…`` as they were.
    """
    payloads = _RTPMAP.findall(sdp)
    originals = {payload: _format(sdp, payload) for payload in payloads}
    if re.search(r"^a=rtpmap:\d+ VP8/", sdp, re.MULTILINE | re.IGNORECASE) or any(map(_is_known, originals.values())):
        return sdp, {}
    for payload, original in originals.items():
        sdp = sdp.replace(original, "") if original else sdp
        sdp = re.sub(rf"(?m)^(a=rtpmap:{payload} [^\r\n]*\r\n)", rf"\1a=fmtp:{payload} {_KNOWN}\r\n", sdp)
    return sdp, originals


def as_offered(answer: str, originals: dict[str, str]) -> str:
    """The answer to an offer that ``as_known`` changed: in the offer's own terms."""
    for payload, original in originals.items():
        answer = answer.replace(_format(answer, payload), original) if _format(answer, payload) else answer
    return answer


def _format(sdp: str, payload: str) -> str:
    match = re.search(rf"^a=fmtp:{payload} [^\r\n]*\r\n", sdp, re.MULTILINE)
    return match[0] if match else ""


def _is_known(line: str) -> bool:
    return "packetization-mode=1" in line and bool(re.search(r"profile-level-id=42[0-9a-f]{4}", line, re.IGNORECASE))
