"""What other stacks send: H.264 of other profiles, sound of telephones, more than can be decoded."""

from __future__ import annotations

import asyncio
import queue
import re

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import AudioFrame, VideoFrame
from live_parts import pipeline
from live_serving import serving

from face.errors import UserError
from live.app import _port_range
from live.frames import SOUND_RATE
from live.sources.browser import NoSource
from live.streaming.http.server import ServerSettings
from live.streaming.webrtc import keyframe_requests
from live.streaming.webrtc.h264_formats import as_known, as_offered
from live.streaming.webrtc.reception import frames, sounds

pytestmark = pytest.mark.server
SDP = {"Content-Type": "application/sdp"}
HIGH = "packetization-mode=0;profile-level-id=64001f"


def only_high(sdp: str) -> str:
    """An offer of a client that encodes High in packetization mode 0, and nothing else."""
    gone = re.findall(r"a=rtpmap:(\d+) VP8/", sdp) + re.findall(r"a=rtpmap:(\d+) H264/", sdp)[1:]
    kept = "".join(line for line in sdp.splitlines(True) if not re.match(rf"a=[a-z-]+:({'|'.join(gone)}) ", line))
    return re.sub(r"(a=fmtp:\d+ )level-asymmetry[^\r\n]*", rf"\1{HIGH}", kept)


def test_formats_are_changed_only_where_none_is_known():
    known = "a=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=1;profile-level-id=42e01f\r\n"
    high = f"a=rtpmap:97 H264/90000\r\na=fmtp:97 {HIGH}\r\n"
    bare = "a=rtpmap:98 H264/90000\r\n"
    for sdp in (known, known + high, high + "a=rtpmap:96 VP8/90000\r\n"):
        assert as_known(sdp) == (sdp, {})
    changed, originals = as_known(high + bare)
    assert changed.count("profile-level-id=42e01f") == 2 and HIGH not in changed
    assert as_offered(changed, originals).count(f"a=fmtp:97 {HIGH}\r\n") == 1


def test_high_profile_in_mode_0_is_received(model, target_info):
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def work(address):
        client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        client.addTrack(VideoStreamTrack())
        await client.setLocalDescription(await client.createOffer())
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            reply = await http.post("/whip", content=only_high(client.localDescription.sdp), headers=SDP)
            assert reply.status_code == 201, reply.text
            assert HIGH in reply.text and "42e01f" not in reply.text
            own = re.sub(rf"{HIGH}[^\r\n]*", "packetization-mode=1;profile-level-id=42001f", reply.text)
            await client.setRemoteDescription(RTCSessionDescription(own, "answer"))
            async with asyncio.timeout(60):
                while (await http.get("/status")).json()["publisher"] is None:
                    pass
        await client.close()

    with serving(loop) as address:
        asyncio.run(work(address))


def test_a_cameras_frames_are_as_old_as_their_arrival():
    class Track:
        def __init__(self) -> None:
            self._queue = asyncio.Queue()
            self._times = iter([10, 30, 20])  # a B-frame comes after its successor

        async def recv(self) -> VideoFrame:
            try:
                frame = VideoFrame(16, 16, "yuv420p")
                frame.pts = next(self._times)
                return frame
            except StopIteration:
                raise MediaStreamError from None

    async def receive() -> list[float]:
        return [f.captured_s async for f in frames(Track(), {10: 1.0, 30: 2.0, 20: 1.5})]

    assert asyncio.run(receive()) == [1.0, 2.0, 2.0]


class Microphone:
    """A track that gives a tone in 20-ms frames of some rate."""

    def __init__(self, rate: int, layout: str, hertz: float = 440) -> None:
        times = np.arange(rate) / rate
        tone = (12_000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)
        self._pieces = tone.reshape(50, -1)
        self._rate, self._layout, self._number = rate, layout, 0

    async def recv(self) -> AudioFrame:
        if self._number == len(self._pieces):
            raise MediaStreamError
        piece = self._pieces[self._number]
        samples = piece[None] if self._layout == "mono" else np.repeat(piece, 2)[None]
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._number * len(piece)
        self._number += 1
        return frame


@pytest.mark.parametrize(("rate", "layout"), [(8000, "mono"), (16_000, "mono"), (48_000, "stereo")])
def test_a_tone_keeps_its_pitch_whatever_the_codec(rate, layout):
    async def listen() -> np.ndarray:
        return np.concatenate([sound.samples async for sound in sounds(Microphone(rate, layout))])

    samples = asyncio.run(listen())
    assert samples.shape[1] == 2 and samples.dtype == np.int16
    assert len(samples) == pytest.approx(SOUND_RATE, rel=0.02)
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples))))
    assert np.argmax(spectrum) * SOUND_RATE / len(samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(("without", "sound"), [(True, False), (False, True)])
def test_a_viewer_without_opus_gets_no_sound_rather_than_noise(model, target_info, without, sound):
    async def work(address):
        client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        client.addTransceiver("video", direction="recvonly")
        client.addTransceiver("audio", direction="recvonly")
        await client.setLocalDescription(await client.createOffer())
        offer = client.localDescription.sdp
        payload = re.search(r"a=rtpmap:(\d+) opus/", offer)[1]
        # Opus is not the first choice of every client.
        offer = re.sub(r"(m=audio \d+ \S+) ([^\r\n]*)", lambda m: f"{m[1]} {' '.join(reversed(m[2].split()))}", offer)
        if without:
            offer = "".join(x for x in offer.splitlines(True) if not re.match(rf"a=[a-z-]+:{payload} ", x))
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            reply = await http.post("/whep", content=offer, headers=SDP)
        await client.close()
        assert reply.status_code == 201, reply.text
        return reply.text.partition("m=audio")[2]

    with serving(pipeline(model, target_info, NoSource(), drop=True)) as address:
        section = asyncio.run(work(address))
    assert ("a=sendonly" in section) == sound and ("a=inactive" in section) == (not sound)
    assert ("opus" in section) == sound and (not sound or "PCMU" not in section)


@pytest.mark.parametrize(
    ("mime", "key", "delta"),
    [("video/VP8", b"\x10\0", b"\x11\0"), ("video/H264", b"\0\0\0\1\x67\0\0\0\1\x65x", b"\0\0\0\1\x41x")],
)
def test_frames_that_cannot_be_decoded_in_time_are_skipped_up_to_a_key_frame(mime, key, delta):
    asked, skipped = [], []

    class Error:
        @staticmethod
        def set() -> None:
            asked.append(1)

    class Receiver:
        _RTCRtpReceiver__decoder_queue: queue.Queue = queue.Queue()
        _RTCRtpReceiver__decoder_error = Error()

    receiver = Receiver()
    waiting = receiver._RTCRtpReceiver__decoder_queue
    arrivals = keyframe_requests.skip_when_behind(receiver, lambda: skipped.append(1))
    codec = RTCRtpCodecParameters(mimeType=mime, clockRate=90_000, payloadType=96)
    for number in range(100):
        waiting.put((codec, JitterFrame(delta, number)))
    assert waiting.qsize() == 8 and len(asked) == 4  # again every 30 frames
    assert len(skipped) == 92
    while not waiting.empty():
        waiting.get()
    waiting.put((codec, JitterFrame(delta, 100)))
    assert waiting.empty()
    waiting.put((codec, JitterFrame(key, 101)))
    waiting.put((codec, JitterFrame(delta, 102)))
    waiting.put(None)
    assert waiting.qsize() == 3
    assert list(arrivals) == [*range(8), 101, 102] and sorted(arrivals.values()) == list(arrivals.values())


def test_what_is_skipped_is_still_there_in_aiortc():
    async def parts():
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        receiver = connection.addTransceiver("video", direction="recvonly").receiver
        found = receiver._RTCRtpReceiver__decoder_queue, receiver._RTCRtpReceiver__decoder_error
        await connection.close()
        return found

    waiting, error = asyncio.run(parts())
    assert isinstance(waiting, queue.Queue) and callable(error.set)


def test_media_keeps_to_its_ports(model, target_info):
    ports = range(41_000, 41_040)

    async def work(address):
        client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        client.addTransceiver("video", direction="recvonly")
        await client.setLocalDescription(await client.createOffer())
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            reply = await http.post("/whep", content=client.localDescription.sdp, headers=SDP)
        await client.close()
        return [int(line.split()[5]) for line in reply.text.splitlines() if line.startswith("a=candidate")]

    settings = ServerSettings(udp_ports=ports)
    with serving(pipeline(model, target_info, NoSource(), drop=True), settings) as address:
        used = asyncio.run(work(address))
    assert used and set(used) <= set(ports)


def test_port_ranges_are_read():
    assert _port_range(None) is None and _port_range("50000-50010") == range(50_000, 50_011)
    for text in ("50000", "5-4", "0-9", "1-99999", "a-b", "-1-5"):
        with pytest.raises(UserError):
            _port_range(text)
