"""What viewers cost: CPU time of the server with one and with many, and how soon a late one sees. By hand.

    PYTHONPATH=tests python -m benchmarks.viewers [--viewers 8] [--seconds 20] [--joins 10]

Viewers are aiortc peers in a process of their own; only late joiners decode what they get.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
from aiortc.mediastreams import MediaStreamError
from live_serving import serving

from face.threads import compute_on_one_thread
from live.app import build_pipeline
from live.streaming.http.server import ServerSettings


async def join(address: str) -> tuple[RTCPeerConnection, asyncio.Future]:
    """A viewer, which counts the frames that it sees and keeps the last; the future is done with its first."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.seen = 0
    first = asyncio.get_running_loop().create_future()

    @connection.on("track")
    def on_track(track):
        async def read():
            with contextlib.suppress(MediaStreamError):  # it is over
                while True:
                    connection.last = await track.recv()
                    connection.seen += 1
                    if not first.done():
                        first.set_result(time.monotonic())

        connection.reading = asyncio.ensure_future(read())

    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    async with httpx.AsyncClient(timeout=30) as client:
        reply = await client.post(f"{address}/whep", content=connection.localDescription.sdp,
                                  headers={"Content-Type": "application/sdp"})  # fmt: skip
        reply.raise_for_status()
    await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
    return connection, first


def watch(address: str, wanted, joined, ended, joins: int, waits) -> None:
    """Another process: some viewers, then late joiners one after the other."""

    def decode_nothing(loop, work, out, error):
        while work.get() is not None:
            pass

    decode = rtcrtpreceiver.decoder_worker

    async def go():
        rtcrtpreceiver.decoder_worker = decode_nothing
        peers = [await join(address) for _ in range(wanted)]
        joined.set()
        await asyncio.to_thread(ended.wait)
        rtcrtpreceiver.decoder_worker = decode
        for _ in range(joins):
            begin = time.monotonic()
            late, first = await join(address)
            waits.append(await asyncio.wait_for(first, 30) - begin)
            await late.close()
        for peer, _ in peers:
            await peer.close()

    asyncio.run(go())


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--joins", type=int, default=10)
    arguments = parser.parse_args()
    compute_on_one_thread()
    context = multiprocessing.get_context("spawn")
    result = {}
    loop, _ = build_pipeline("demo", "demo")
    with serving(loop, ServerSettings()) as address, context.Manager() as manager:
        for count in (1, arguments.viewers, 1, arguments.viewers):
            joined, ended, waits = manager.Event(), manager.Event(), manager.list()
            last = count > 1
            work = (address, count, joined, ended, arguments.joins if last else 0, waits)
            other = context.Process(target=watch, args=work)
            other.start()
            joined.wait()
            made, thread_s, process_s = loop.metrics.counts().get("out", 0), network_s(), time.process_time()
            time.sleep(arguments.seconds)
            row = {"event loop and encoder, % of a core": round(100 * (network_s() - thread_s) / arguments.seconds, 1),
                   "whole server, % of a core": round(100 * (time.process_time() - process_s) / arguments.seconds, 1),
                   "fps": round((loop.metrics.counts()["out"] - made) / arguments.seconds, 1)}  # fmt: skip
            ended.set()
            other.join()
            if waits:
                row["late joiner's first frame, ms (median, worst)"] = [
                    round(1000 * float(np.median(waits))), round(1000 * max(waits))]  # fmt: skip
            result.setdefault(f"{count} viewers", []).append(row)
    print(json.dumps(result, indent=1))
    return 0


def network_s() -> float:
    """CPU seconds of this process's threads that serve viewers: the event loop and the encoders."""
    total = 0
    for thread in threading.enumerate():
        if thread.name in NETWORK_THREADS:
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


NETWORK_THREADS = ("serve", "encode H264", "encode VP8")

if __name__ == "__main__":
    sys.exit(main())
