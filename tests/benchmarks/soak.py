"""Ten minutes of coming and going: does anything grow? Run by hand.

    PYTHONPATH=tests python -m benchmarks.soak [--minutes 10] [--viewers 4]

A publisher with sound sends all the time; viewers join, watch for some seconds and leave, every third without a word.
Printed are latency and memory over time with their slopes, and what was left open at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import multiprocessing
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from fractions import Fraction

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from live_serving import serving

from face.threads import compute_on_one_thread
from face.video import VideoReader
from live.app import build_pipeline
from live.bench import memory_mb
from live.sources.video_file import DEMO_CLIP
from live.streaming.http.server import ServerSettings

SDP = {"Content-Type": "application/sdp"}
WARM_UP_S = 60


def demo_images() -> list[np.ndarray]:
    """The demo clip there and back again, so that it can be repeated."""
    with VideoReader(DEMO_CLIP) as video:
        images = [image for image, _ in video]
    return [*images, *images[-2:0:-1]]


class Camera(VideoStreamTrack):
    """A camera before which the demo clip is played, there and back again; aiortc's own player stops at its end."""

    def __init__(self) -> None:
        super().__init__()
        self._images, self._number, self._begin = demo_images(), 0, time.monotonic()

    async def recv(self) -> av.VideoFrame:
        """The next frame, at 25 fps."""
        await asyncio.sleep(max(0.0, self._begin + self._number / 25 - time.monotonic()))
        frame = av.VideoFrame.from_ndarray(self._images[self._number % len(self._images)], "rgb24")
        frame.pts, frame.time_base = self._number * 3600, Fraction(1, 90_000)
        self._number += 1
        return frame


class Tone(MediaStreamTrack):
    """A microphone that hears a tone."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._number, self._begin = 0, time.monotonic()

    async def recv(self) -> av.AudioFrame:
        """20 ms of it, in time."""
        await asyncio.sleep(max(0.0, self._begin + self._number * 0.02 - time.monotonic()))
        t = (self._number * 960 + np.arange(960)) / 48_000
        samples = np.repeat((8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._number * 960, Fraction(1, 48_000)
        self._number += 1
        return frame


async def connect(
    client: httpx.AsyncClient, path: str, tracks: list[MediaStreamTrack]
) -> tuple[RTCPeerConnection, str]:
    """A peer that sends some tracks, or watches; and its resource."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for track in tracks:
        connection.addTrack(track)
    if not tracks:
        for kind in ("video", "audio"):
            connection.addTransceiver(kind, direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    reply = await client.post(path, content=connection.localDescription.sdp, headers=SDP)
    reply.raise_for_status()
    await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
    return connection, reply.headers["Location"]


async def come_and_go(client: httpx.AsyncClient, end_s: float, chance: random.Random) -> int:
    """One viewer after the other; how many there were."""
    count = 0
    while time.monotonic() < end_s:
        connection, resource = await connect(client, "/whep", [])
        readers = [asyncio.ensure_future(_drain(t.receiver.track)) for t in connection.getTransceivers()]
        await asyncio.sleep(chance.uniform(2, 12))
        if count % 3:
            await client.delete(resource)
        await connection.close()
        for reader in readers:
            reader.cancel()
        count += 1
    return count


async def _drain(track: MediaStreamTrack) -> None:
    while True:
        await track.recv()


def outside(address: str, minutes: float, viewers: int) -> multiprocessing.Process:
    """Publisher and viewers in a process of their own, running: what aiortc's clients keep is not the server's."""
    process = multiprocessing.get_context("spawn").Process(target=_outside, args=(address, minutes, viewers))
    process.start()
    return process


def _outside(address: str, minutes: float, viewers: int) -> None:
    count = asyncio.run(run(address, minutes, viewers))
    print(f"{count} viewers came and went", file=sys.stderr)


async def run(address: str, minutes: float, viewers: int) -> int:
    """Everything that happens from outside; how many viewers there were."""
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        publisher, resource = await connect(client, "/whip", [Camera(), Tone()])
        end_s = time.monotonic() + 60 * minutes
        counts = await asyncio.gather(*(come_and_go(client, end_s, random.Random(k)) for k in range(viewers)))
        assert (await client.delete(resource)).status_code == 200
        await publisher.close()
    return sum(counts)


def left_open() -> dict[str, list[str]]:
    """Names of this process's threads, and what its file handles are of."""
    handles = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            handles.append(re.sub(r"\d+", "", os.readlink(f"/proc/self/fd/{number}")))
    return {"threads": [re.sub(r"\d+", "", thread.name) for thread in threading.enumerate()], "handles": handles}


def minute_by_minute(series: np.ndarray) -> dict[str, object]:
    """Of seconds and values ``[N, 2]``: each minute's mean, the line through them, and how far they lie from it."""
    minute = ((series[:, 0] - series[0, 0]) // 60).astype(int)
    means = np.array([series[minute == k, 1].mean() for k in range(minute[-1] + 1)])
    found: dict[str, object] = {"each minute": means.round(1).tolist()}
    if len(means) > 2:
        line = np.polyfit(np.arange(len(means)), means, 1)
        found["slope a minute"] = round(float(line[0]), 3)
        found["scatter about it"] = round(float((means - np.polyval(line, np.arange(len(means)))).std()), 2)
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--viewers", type=int, default=4)
    arguments = parser.parse_args()
    compute_on_one_thread()
    complaints: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                complaints.append(record.getMessage())

    logging.getLogger().addHandler(Listener())
    loop, _ = build_pipeline("demo", "browser")
    rows: list[tuple[float, float, float]] = []
    begin = time.monotonic()
    with serving(loop, ServerSettings()) as address:
        outside(address, 0.1, 1).join()  # thread pools fill and modules load
        before = left_open()
        clients = outside(address, arguments.minutes, arguments.viewers)
        while clients.is_alive():
            clients.join(10)
            rows.append((time.monotonic() - begin, (loop.metrics.latency_s() or 0.0) * 1000, memory_mb()))
        exitcode = clients.exitcode
        clients.close()
        gc.collect()
        deadline = time.monotonic() + 10
        while len(left_open()["handles"]) > len(before["handles"]) and time.monotonic() < deadline:
            time.sleep(0.2)
        after = left_open()
        peers = json.loads(httpx.get(f"{address}/status").text)["viewers"]
    table = np.array([row for row in rows if row[0] > WARM_UP_S] or rows)
    print(json.dumps({
        "minutes": arguments.minutes, "clients' exit code": exitcode, "left at the end": peers,
        **{f"{what} before and after": [len(before[what]), len(after[what])] for what in before},
        **{f"new {what}": sorted((Counter(after[what]) - Counter(before[what])).elements()) for what in before},
        "latency, ms": minute_by_minute(table[:, (0, 1)]),
        "memory, MB": minute_by_minute(table[:, (0, 2)]),
        "errors told": complaints, "loop's error": str(loop.error) if loop.error else None,
    }, indent=1))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
