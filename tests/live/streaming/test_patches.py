"""Each reach into aiortc's private parts still finds what it was written for."""

from __future__ import annotations

import asyncio

import aioice.ice
import aioice.stun
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, rtp
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from live.streaming.webrtc import aiortc_patches

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module", autouse=True)
def installed():
    aiortc_patches.install()
    aiortc_patches.install()  # twice is once


def test_playout_delay_is_written_as_zero_for_video_and_not_for_sound():
    extensions = rtp.HeaderExtensionsMap()
    extensions.configure(
        RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=6, uri=aiortc_patches.PLAYOUT_DELAY)])
    )
    profile, data = extensions.set(rtp.HeaderExtensions())
    assert (6, b"\0\0\0") in rtp.unpack_header_extensions(profile, data)
    profile, data = extensions.set(rtp.HeaderExtensions(audio_level=(False, 3)))
    assert all(i != 6 for i, _ in rtp.unpack_header_extensions(profile, data))


def test_one_viewers_pictures_are_held_back():
    """The header of each packet says so; another viewer's still says at once."""

    async def extensions() -> list[bytes]:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        senders = [connection.addTransceiver("video", direction="sendonly").sender for _ in range(2)]
        aiortc_patches.hold_back(senders[0], 60)
        written = []
        for sender in senders:
            found = sender._RTCRtpSender__rtp_header_extensions_map
            found.configure(
                RTCRtpParameters(
                    headerExtensions=[RTCRtpHeaderExtensionParameters(id=6, uri=aiortc_patches.PLAYOUT_DELAY)]
                )
            )
            written.append(dict(rtp.unpack_header_extensions(*found.set(rtp.HeaderExtensions())))[6])
        await connection.close()
        return written

    assert asyncio.run(extensions()) == [bytes([0, 0x60, 0x06]), b"\0\0\0"]


def test_consent_constants_exist_and_are_set():
    assert aioice.ice.CONSENT_INTERVAL == 1 and aioice.ice.CONSENT_FAILURES == 3


async def _asked_until_lost(patient: bool, monkeypatch) -> int:
    """How often a peer that is silent is asked for its consent before it is given up."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", direction="recvonly")
    if patient:
        aiortc_patches.be_patient(connection)
    ice = connection.getTransceivers()[0].receiver.transport.transport._connection
    asked = 0

    class Silent:
        async def request(self, *_, **__):
            nonlocal asked
            asked += 1
            raise aioice.stun.TransactionTimeout

    class Pair:
        protocol, remote_addr = Silent(), ("192.0.2.1", 9)

    async def at_once(_):
        pass

    ice.remote_password, ice._nominated = "x" * 22, {1: Pair()}
    monkeypatch.setattr(ice, "build_request", lambda *_, **__: None)
    monkeypatch.setattr("asyncio.sleep", at_once)
    await ice.query_consent()
    ice._nominated.clear()
    await connection.close()
    return asked


@pytest.mark.parametrize(("patient", "count"), [(False, 3), (True, 20)])
def test_a_publisher_is_waited_for_longer_than_a_viewer(patient, count, monkeypatch):
    assert asyncio.run(_asked_until_lost(patient, monkeypatch)) == count


def packet(number: int, timestamp: int, marker: int) -> rtp.RtpPacket:
    made = rtp.RtpPacket(sequence_number=number, timestamp=timestamp, marker=marker)
    made._data = bytes([number % 256])
    return made


def test_a_frame_comes_out_with_its_last_packet():
    class Receiver:
        pass

    receiver = Receiver()
    plain = JitterBuffer(capacity=16, is_video=True)
    receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=16, is_video=True)
    aiortc_patches.emit_on_marker(receiver)
    patched = receiver._RTCRtpReceiver__jitter_buffer
    for buffer in (plain, patched):
        assert buffer.add(packet(0, 1000, 0))[1] is None
    assert plain.add(packet(1, 1000, 1))[1] is None  # aiortc waits for the next frame
    frame = patched.add(packet(1, 1000, 1))[1]
    assert frame is not None and frame.data == b"\0\1" and frame.timestamp == 1000
    assert patched.add(packet(2, 2000, 1))[1].data == b"\2"


def test_out_of_order_packets_make_the_same_frame():
    class Receiver:
        pass

    receiver = Receiver()
    receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=16, is_video=True)
    aiortc_patches.emit_on_marker(receiver)
    patched = receiver._RTCRtpReceiver__jitter_buffer
    assert patched.add(packet(0, 1000, 0))[1] is None
    assert patched.add(packet(2, 1000, 1))[1] is None
    assert patched.add(packet(1, 1000, 0))[1].data == b"\0\1\2"


def test_sound_is_handed_on_packet_by_packet_whatever_is_lost():
    class Receiver:
        pass

    held, receiver = JitterBuffer(capacity=16, prefetch=4), Receiver()
    assert [held.add(packet(n, n, 0))[1] for n in range(3)] == [None] * 3  # aiortc's own
    receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=16, prefetch=4)
    aiortc_patches.hasten_sound(receiver)
    hastened = receiver._RTCRtpReceiver__jitter_buffer
    handed = []
    for number in [65533, 65534, 0, 65535, 1, 3]:  # numbers go round; 65535 comes late, 2 never
        frame = hastened.add(packet(number, number, 0))[1]
        handed.append(None if frame is None else frame.timestamp)
    assert handed == [65533, 65534, 0, None, 1, 3]


def test_a_received_track_tells_whether_more_is_at_hand():
    async def work():
        track = RemoteStreamTrack(kind="video")
        assert aiortc_patches.nothing_waits(track)
        await track._queue.put(None)
        assert not aiortc_patches.nothing_waits(track)

    asyncio.run(work())


def test_receivers_have_the_private_jitter_buffer():
    receiver = RTCRtpReceiver.__new__(RTCRtpReceiver)
    source = RTCRtpReceiver.__init__.__code__.co_names
    assert "_RTCRtpReceiver__jitter_buffer" in source and receiver is not None


async def _answer() -> str:
    offerer, answerer = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    offerer.addTransceiver("video", direction="recvonly")
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(offerer.localDescription)
    aiortc_patches.answer_passively(answerer)
    assert hasattr(answerer.getTransceivers()[0].sender, "_send_keyframe")
    await answerer.setLocalDescription(await answerer.createAnswer())
    sdp = answerer.localDescription.sdp
    await offerer.close()
    await answerer.close()
    return sdp


def test_answers_are_passive_and_negotiate_the_extension():
    sdp = asyncio.run(_answer())
    assert "a=setup:passive" in sdp and "a=setup:active" not in sdp
    assert aiortc_patches.PLAYOUT_DELAY in sdp


def test_start_bitrate_is_added_to_each_codec():
    lines = ("rtpmap:96 VP8/90000", "rtpmap:97 rtx/90000", "fmtp:97 apt=96", "rtpmap:99 H264/90000", "fmtp:99 x=1")
    sdp = "".join(f"a={line}\r\n" for line in lines)
    changed = aiortc_patches.with_start_bitrate(sdp)
    assert "a=fmtp:96 x-google-start-bitrate=2000" in changed
    assert "a=fmtp:99 x=1;x-google-start-bitrate=2000" in changed
    assert "a=fmtp:97 apt=96\r\n" in changed
