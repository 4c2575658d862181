"""A camera that sends more than the machine decodes: the delay must not grow. Run by hand.

    PYTHONPATH=tests python -m benchmarks.overload [--size 1920x1080] [--rate 60] [--seconds 60]

Another process publishes the demo clip, enlarged and encoded beforehand, by WHIP; so it cannot send less when told to.
Printed is the time from a frame's arrival to its encoded image, and the frames per second that were generated and that
were skipped, for every ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import threading
import time
from itertools import count
from pathlib import Path

import av
import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.rtcrtpsender import RTCRtpSender
from live_serving import serving

from face.threads import compute_on_one_thread
from face.video import VideoReader
from live.app import build_pipeline
from live.sources.video_file import DEMO_CLIP
from live.streaming.media.video_encoder import SharedEncoder

_KEY_EVERY_S = 2
_WINDOW_S = 10


def encode(path: Path, size: tuple[int, int], rate: int, seconds: int = 4) -> None:
    """The demo clip as H.264 of a size and rate."""
    with av.open(path, "w") as container, VideoReader(DEMO_CLIP) as clip:
        stream = container.add_stream("libx264", rate=rate, options={
            "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": str(_KEY_EVERY_S * rate),
            "repeat-headers": "1",
        })  # fmt: skip
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _, (image, _) in zip(range(seconds * rate), clip, strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(*size, format="yuv420p")))
        container.mux(stream.encode())


async def _publish(address: str, path: Path, seconds: float) -> None:
    peer = RTCPeerConnection()
    sender = peer.addTransceiver(MediaPlayer(str(path), decode=False, loop=True).video, direction="sendonly")
    sender.setCodecPreferences([
        codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == "video/H264"
    ])  # fmt: skip
    await peer.setLocalDescription(await peer.createOffer())
    async with httpx.AsyncClient() as http:
        sdp = {"Content-Type": "application/sdp"}
        reply = await http.post(f"{address}/whip", content=peer.localDescription.sdp, headers=sdp, timeout=30)
    reply.raise_for_status()
    await peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
    await asyncio.sleep(seconds)
    await peer.close()


def publish(address: str, path: Path, seconds: float) -> None:
    """Publish a file's packets for some time; a process of its own."""
    asyncio.run(_publish(address, path, seconds))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--rate", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    width, height = (int(number) for number in arguments.size.split("x"))
    compute_on_one_thread()
    loop, _ = build_pipeline("demo", "browser")
    with tempfile.TemporaryDirectory() as folder, serving(loop) as address:
        path = Path(folder) / "camera.ts"  # whose packets are as RTP wants them
        encode(path, (width, height), arguments.rate)
        turning = asyncio.new_event_loop()
        threading.Thread(target=turning.run_forever, daemon=True).start()
        encoder = SharedEncoder(turning, loop.metrics, lambda error: print(error))
        loop.sinks.append(encoder.put)
        encoder.attach(_Nobody())
        publisher = multiprocessing.get_context("spawn").Process(
            target=publish, args=(address, path, arguments.seconds + 10), daemon=True
        )
        publisher.start()
        while not loop.metrics.counts().get("out", 0):
            time.sleep(0.1)
        for second in count(step=_WINDOW_S):
            if second >= arguments.seconds:
                break
            loop.metrics.clear()
            before = loop.metrics.counts()
            time.sleep(_WINDOW_S)
            median, slow = loop.metrics.percentiles()["capture to encoded"]
            after = loop.metrics.counts()
            made, skipped = ((after.get(n, 0) - before.get(n, 0)) / _WINDOW_S for n in ("out", "skipped"))
            print(
                f"{arguments.size} at {arguments.rate}: from {second} s on {median:.0f} ms "
                f"(95th percentile {slow:.0f}), {made:.1f} frames a second, {skipped:.1f} skipped",
                flush=True,
            )
        publisher.terminate()
        publisher.join()
        encoder.close()
        turning.call_soon_threadsafe(turning.stop)
    return 0


class _Nobody:
    """Takes packets."""

    def push(self, packet: av.Packet) -> bool:
        """Take one."""
        return True


if __name__ == "__main__":
    raise SystemExit(main())
