"""Reaches into aiortc's private parts, each with its reason; those about key frames are in ``keyframe_requests``.

Written for the versions that ``aiortc_version`` requires. ``tests/live/streaming/test_patches.py`` guards them.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import itertools
import re
from typing import Any

import aioice.ice
import aioice.stun
import aiortc.codecs
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver, rtp
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters
from aiortc.utils import uint16_add, uint16_gt

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
_CONSENT_INTERVAL_S, _CONSENT_FAILURES = 1, 3
_PATIENT_FAILURES = 20  # each takes an interval and half a second: 30 s (RFC 7675, 5.1)


def install() -> None:
    """Patch aiortc once, before the first connection."""
    _shorten_consent()
    if all(e.uri != PLAYOUT_DELAY for e in aiortc.codecs.HEADER_EXTENSIONS["video"]):
        _add_playout_delay()


def _shorten_consent() -> None:
    """A viewer that vanished is noticed after 4 s instead of 28 s."""
    aioice.ice.CONSENT_INTERVAL = _CONSENT_INTERVAL_S
    aioice.ice.CONSENT_FAILURES = _CONSENT_FAILURES


def be_patient(connection: RTCPeerConnection) -> None:
    """Wait 30 s for a silent publisher, whose place nobody else wants: a suspended or busy browser comes back."""
    for transceiver in connection.getTransceivers():
        ice = transceiver.receiver.transport.transport._connection
        ice.query_consent = functools.partial(_query_consent, ice, _PATIENT_FAILURES)


async def _query_consent(ice: aioice.ice.Connection, most_failures: int) -> None:
    """As aioice's own, with another number of failures, which there is one constant for all."""
    failures = 0
    while failures < most_failures:
        await asyncio.sleep(_CONSENT_INTERVAL_S)
        for pair in ice._nominated.values():
            request = ice.build_request(pair, nominate=False)
            key = ice.remote_password.encode()
            try:
                await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
                failures = 0
            except aioice.stun.TransactionError:
                failures += 1
    ice._query_consent_task = None
    await ice.close()


def _add_playout_delay() -> None:
    """Ask the viewer to show frames at once (min = max = 0), or when ``hold_back`` says: 10 ms to the page, not 45.

    aiortc does not know the header extension (its pull request 668).
    """
    extension = RTCRtpHeaderExtensionParameters(id=5, uri=PLAYOUT_DELAY)
    aiortc.codecs.HEADER_EXTENSIONS["video"].append(extension)
    configure, set_ = rtp.HeaderExtensionsMap.configure, rtp.HeaderExtensionsMap.set

    def configure_with_delay(self: Any, parameters: Any) -> None:
        configure(self, parameters)
        for e in parameters.headerExtensions:
            if e.uri == PLAYOUT_DELAY:
                self._playout_delay_id = e.id

    def set_with_delay(self: Any, values: Any) -> tuple[int, bytes]:
        profile, data = set_(self, values)
        extension_id = getattr(self, "_playout_delay_id", None)
        if extension_id and values.audio_level is None:
            extensions = rtp.unpack_header_extensions(profile, data)
            return rtp.pack_header_extensions([*extensions, (extension_id, getattr(self, "_playout_delay", b"\0\0\0"))])
        return profile, data

    rtp.HeaderExtensionsMap.configure = configure_with_delay
    rtp.HeaderExtensionsMap.set = set_with_delay


def hold_back(sender: RTCRtpSender, milliseconds: int) -> None:
    """Ask one viewer to show frames so much after they come, at most 40950 ms; the extension counts tens of them."""
    tens = round(milliseconds / 10)
    sender._RTCRtpSender__rtp_header_extensions_map._playout_delay = (tens << 12 | tens).to_bytes(3, "big")


def answer_passively(connection: RTCPeerConnection) -> None:
    """Answer ``setup:passive`` unless the offer is passive itself, so that peers with an RSA certificate (GStreamer)
    can connect; before createAnswer.
    """
    offered = connection._RTCPeerConnection__remoteDtls
    for transceiver in connection.getTransceivers():
        remote = offered.get(transceiver)
        transceiver.receiver.transport._set_role("client" if remote and remote.role == "server" else "server")


async def close(connection: RTCPeerConnection) -> None:
    """Close a connection, whatever its offer was: a broken BUNDLE takes the transport from transceivers, over which
    aiortc's own close stumbles and leaves the other transports open.
    """
    try:
        await connection.close()
    except AttributeError:
        for transceiver in connection.getTransceivers():
            transport = transceiver.receiver.transport
            if transport is not None:
                await transport.stop()
                await transport.transport.stop()


def chosen_codec(transceiver: RTCRtpTransceiver) -> str:
    """Name of the codec that was settled on, e.g. ``H264``; aiortc sends with the first that both know."""
    return str(transceiver._codecs[0].mimeType.split("/")[1])


def prefer_opus(transceiver: RTCRtpTransceiver) -> None:
    """Settle on Opus for sound, wherever the offer names it: what is sent is encoded already."""
    codecs = RTCRtpSender.getCapabilities("audio").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "audio/opus"])


def nothing_waits(track: MediaStreamTrack) -> bool:
    """Whether a received track has no further frame at hand; its queue has no bound and no public length."""
    return bool(track._queue.empty())


def hasten_sound(receiver: RTCRtpReceiver) -> None:
    """Hand each packet of sound on as it comes; one that comes after its successor is left out.

    aiortc holds four packets, 80 ms, back, longer than a frame takes; and after a lost one it waits for sixteen more,
    which then stay in its buffer, so that all further sound is 0.3 s late. Who hears it has a jitter buffer of his own.
    """
    buffer = receiver._RTCRtpReceiver__jitter_buffer

    def add(packet: rtp.RtpPacket) -> tuple[bool, JitterFrame | None]:
        number = packet.sequence_number
        if buffer._origin is not None and uint16_gt(buffer._origin, number):
            return False, None
        buffer._origin = uint16_add(number, 1)
        return False, JitterFrame(packet._data, packet.timestamp) if packet._data else None

    buffer.add = add


def emit_on_marker(receiver: RTCRtpReceiver) -> None:
    """Hand a frame on when its last packet (RTP marker) is in, not when the next frame begins: one frame less delay."""
    buffer = receiver._RTCRtpReceiver__jitter_buffer
    original = buffer._remove_frame

    def remove_frame(sequence_number: int) -> JitterFrame | None:
        frame = original(sequence_number)
        if frame:
            return frame
        packets: list[Any] = []
        for count in range(buffer._capacity):
            packet = buffer._packets[(buffer._origin + count) % buffer._capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                return None
            packets.append(packet)
            if packet.marker:
                buffer.remove(len(packets))
                return JitterFrame(b"".join(p._data for p in packets), packets[0].timestamp)
        return None

    buffer._remove_frame = remove_frame


def limit_udp_ports(loop: asyncio.AbstractEventLoop, ports: range) -> None:
    """Have aioice bind to these ports only, which a firewall lets through; it takes any free one, without an option."""
    original = loop.create_datagram_endpoint
    begins = itertools.cycle(ports)

    async def create(factory: Any, local_addr: Any = None, **others: Any) -> Any:
        if local_addr is None or local_addr[1] != 0:
            return await original(factory, local_addr=local_addr, **others)
        for _ in ports:
            try:
                return await original(factory, local_addr=(local_addr[0], next(begins)), **others)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, "all UDP ports are in use")

    loop.create_datagram_endpoint = create  # type: ignore[method-assign, assignment]


def with_start_bitrate(sdp: str) -> str:
    """Answer SDP that lets a browser's camera begin at 2 Mbit/s instead of 0.3."""
    limits = "x-google-start-bitrate=2000;x-google-min-bitrate=300;x-google-max-bitrate=4000"
    payloads = re.findall(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", sdp)
    for payload in payloads:
        if re.search(rf"a=fmtp:{payload} ", sdp):
            sdp = re.sub(rf"(a=fmtp:{payload} [^\r\n]*)", rf"\1;{limits}", sdp)
        else:
            sdp = re.sub(rf"(a=rtpmap:{payload} [^\r\n]*\r?\n)", rf"\1a=fmtp:{payload} {limits}\r\n", sdp)
    return sdp
