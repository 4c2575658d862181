"""A publisher that sends more than can be decoded is told to send less, and more again when all is decoded."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, unpack_remb_fci
from av import VideoFrame
from browser import fake_camera, opened, until
from live_parts import pipeline
from live_serving import serving

from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP
from live.streaming.webrtc.bitrate_limit import LEAST, limit_while_skipping

pytestmark = pytest.mark.server
SDP = {"Content-Type": "application/sdp"}
PACKET_MS = 2
LINE = 1_000_000

# Keeps the connection of the page's camera; ten seconds pass for the page at a word.
_BROWSER = """
const Own = RTCPeerConnection;
window.RTCPeerConnection = class extends Own {
  addTransceiver(what, how) {
    if (how.direction === 'sendonly') window.sending = this;
    return super.addTransceiver(what, how);
  }
};
let passed = 0;
const now = performance.now.bind(performance);
performance.now = () => now() + passed;
window.tenSecondsPass = () => { passed += 10000; };
window.scale = () => sending.getSenders()[0].getParameters().encodings[0].scaleResolutionDownBy ?? 1;
window.sent = async () => {
  const found = { width: 0, rate: 0 };
  for (const stats of (await sending.getStats()).values()) {
    if (stats.type === 'outbound-rtp' && stats.kind === 'video') found.width = stats.frameWidth;
    if (stats.type === 'candidate-pair' && stats.nominated) found.rate = stats.availableOutgoingBitrate;
  }
  return found;
};
"""


class Line:
    """Packets of a publisher that sends as many bits as it was last told, 4 Mbit/s at most, over a good line."""

    def __init__(self, estimator) -> None:
        self._estimator, self._times_ms, self._bitrate = estimator, itertools.count(0, PACKET_MS), 4_000_000

    def carry(self, seconds: float, each=lambda: None) -> list[int]:
        """What the publisher is told in some seconds; ``each`` is called after each packet."""
        told = []
        for now_ms in itertools.islice(self._times_ms, int(seconds * 1000 / PACKET_MS)):
            bits = min(4_000_000, self._bitrate) * PACKET_MS / 1000
            sent = int(now_ms / 1000 * (1 << 18)) & 0xFFFFFF
            found = self._estimator.add(
                abs_send_time=sent, arrival_time_ms=now_ms, payload_size=round(bits / 8), ssrc=7
            )
            if found is not None:
                self._bitrate = found[0]
                told.append(found[0])
                assert found[1] == [7]
            each()
        return told


async def _estimator(limited: bool):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    receiver = connection.addTransceiver("video", direction="recvonly").receiver
    note = limit_while_skipping(receiver) if limited else None
    await connection.close()
    return receiver._RTCRtpReceiver__remote_bitrate_estimator, note


@pytest.mark.fast
def test_estimates_fall_while_frames_are_skipped_and_rise_slowly_after():
    estimator, note_skipped = asyncio.run(_estimator(limited=True))
    line, plain = Line(estimator), Line(asyncio.run(_estimator(limited=False))[0])
    before = line.carry(6)
    assert before and before == plain.carry(6)  # nothing skipped: aiortc's own
    falling = line.carry(10, note_skipped)
    assert falling[0] <= 0.85 * 4_000_000 < before[-1]
    assert all(after == max(LEAST, int(0.85 * first)) or after == pytest.approx(0.85 * first, abs=1)
               for first, after in itertools.pairwise(falling))  # fmt: skip
    assert falling[-1] == LEAST
    rising = line.carry(60)
    ratios = np.array(rising[1:]) / np.array(rising[:-1])
    assert np.all(ratios[:30] > 1) and np.all(ratios < 1.05)
    assert rising[-1] > 4_000_000  # held no longer


class Noise(VideoStreamTrack):
    """A camera whose frames need many bits."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(np.random.default_rng(pts).integers(0, 255, (240, 320, 3), np.uint8), "rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


@pytest.fixture(autouse=True)
def good_line(request, monkeypatch):
    """The line itself is estimated at so many bits a second, whatever else this machine does; not in fast tests."""
    if request.node.get_closest_marker("fast") is None:
        monkeypatch.setattr("aiortc.rate.AimdRateControl.update", lambda *_: LINE)


@pytest.fixture
def decodes(monkeypatch):
    """An event: while it is clear, the decoder of video stands still."""
    import aiortc.rtcrtpreceiver as receiver

    gate, own = threading.Event(), receiver.get_decoder

    def get_decoder(codec):
        decoder = own(codec)
        if codec.mimeType.startswith("video"):
            decode = decoder.decode
            decoder.decode = lambda frame: gate.wait() and decode(frame)
        return decoder

    monkeypatch.setattr(receiver, "get_decoder", get_decoder)
    gate.set()
    return gate


def test_a_publisher_is_told_by_remb(model, target_info, decodes):
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def work(address):
        client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        sender = client.addTrack(Noise())
        told: asyncio.Queue[int] = asyncio.Queue()
        handle = sender._handle_rtcp_packet

        async def hear(packet):
            if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
                bitrate, sources = unpack_remb_fci(packet.fci)
                assert sender._ssrc in sources
                told.put_nowait(bitrate)
            await handle(packet)

        sender._handle_rtcp_packet = hear
        await client.setLocalDescription(await client.createOffer())
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            reply = await http.post("/whip", content=client.localDescription.sdp, headers=SDP)
        await client.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        async with asyncio.timeout(60):
            while not loop.metrics.counts().get("in"):  # noqa: ASYNC110 (another thread counts)
                await asyncio.sleep(0.02)
            decodes.clear()
            while (first := await told.get()) == LINE:
                pass
            falling = [first, *[await told.get() for _ in range(7)]]
            assert falling == pytest.approx([max(LEAST, LINE * 0.85**n) for n in range(1, 9)], rel=1e-4)
            assert loop.metrics.counts()["skipped"] > 0
            decodes.set()
            while (first := await told.get()) == LEAST:
                pass
            assert [first, await told.get()] == pytest.approx([LEAST * 1.04, LEAST * 1.04**2], rel=1e-4)
        await client.close()

    with serving(loop) as address, contextlib.ExitStack() as end:
        end.callback(decodes.set)  # the server waits for its decoder
        asyncio.run(work(address))


@pytest.mark.browser
def test_a_browser_obeys_and_our_page_sends_a_smaller_image(chromium, model, target_info, tmp_path, decodes):
    camera = fake_camera(DEMO_CLIP, tmp_path / "camera.y4m", frames=25)
    loop = pipeline(model, target_info, NoSource(), drop=True)
    with (
        serving(loop) as address,
        contextlib.ExitStack() as end,
        opened(chromium, address, camera, script=_BROWSER) as page,
    ):
        end.callback(decodes.set)
        page.get_by_role("button", name="Use my camera").click()
        until(page, "(await (await fetch('status')).json()).frames.in > 0")
        until(page, "(await sent()).rate === 1_000_000")
        assert page.evaluate("scale()") == 1
        decodes.clear()
        until(page, "(await sent()).rate <= 300_000")
        until(page, "scale() === 3")  # and no further
        decodes.set()
        until(page, "(await sent()).width > 0 && (await sent()).width <= 214")
        page.evaluate("tenSecondsPass()")
        until(page, "scale() === 2")
        page.evaluate("tenSecondsPass()")
        page.evaluate("tenSecondsPass()")
        until(page, "scale() < 2")
        until(page, "(await sent()).rate > 300_000")
