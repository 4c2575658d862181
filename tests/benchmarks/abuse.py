"""A good viewer among bad ones: malformed requests and abrupt disconnects. Run by hand.

    PYTHONPATH=tests python -m benchmarks.abuse [--requests 1000] [--disconnects 200]

Printed are the replies by status, and the longest time that the good viewer had no new picture.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time

import httpx
import websockets
from benchmarks.soak import SDP, connect
from live_serving import serving

from face.threads import compute_on_one_thread
from live.app import build_pipeline
from live.streaming.http.server import ServerSettings


async def malformed(address: str, count: int) -> collections.Counter:
    """Offers cut, stretched and shuffled, and what else goes wrong; the replies' statuses."""
    chance = random.Random(0)
    statuses: collections.Counter = collections.Counter()
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        connection, resource = await connect(client, "/whep", [])
        offer = connection.localDescription.sdp
        await client.delete(resource)
        await connection.close()
        for number in range(count):
            lines = offer.splitlines(True)
            kind = number % 8
            body = "".join(lines)
            path, headers, method = chance.choice(["/whep", "/whip"]), dict(SDP), "POST"
            if kind == 0:
                del lines[chance.randrange(len(lines))]
                body = "".join(lines)
            elif kind == 1:
                chance.shuffle(lines)
                body = "".join(lines)
            elif kind == 2:
                body = body[: chance.randrange(len(body))]
            elif kind == 3:
                spoiled = bytearray(body.encode())
                for _ in range(20):
                    spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
                body = spoiled.decode("latin-1")
            elif kind == 4:
                body = chance.randbytes(chance.randrange(2000)).decode("latin-1")
            elif kind == 5:
                headers = {"Content-Type": chance.choice(["", "text/html", "application/json"]), "Origin": "http://x"}
            elif kind == 6:
                method, path = chance.choice(["PATCH", "DELETE", "PUT"]), f"{path}/{chance.randbytes(8).hex()}"
            else:
                body = body * chance.randrange(2, 40)
            reply = await client.request(method, path, content=body.encode("utf-8", "replace"), headers=headers)
            statuses[reply.status_code] += 1
            if reply.status_code == 201:
                await client.delete(reply.headers["Location"])
            if number % 50 == 0:
                try:
                    async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
                        await socket.send(chance.choice(["{", "[]", '{"mode": 3}', "x" * 5000]))
                except websockets.WebSocketException:
                    statuses["socket refused"] += 1
    return statuses


def vanish(address: str, count: int) -> None:
    """A process that opens connections and is killed with them open."""

    async def go() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            kept = [await connect(client, "/whep", []) for _ in range(count)]
            await asyncio.sleep(1)
            assert kept
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(go())


async def watch(address: str, gaps: list[float], ended: threading.Event) -> None:
    """The good viewer: times between its pictures."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        connection, resource = await connect(client, "/whep", [])
        track = next(t.receiver.track for t in connection.getTransceivers() if t.kind == "video")
        await track.recv()
        last = time.monotonic()
        while not ended.is_set():
            await track.recv()
            now = time.monotonic()
            gaps.append(now - last)
            last = now
        await client.delete(resource)
        await connection.close()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--disconnects", type=int, default=200)
    arguments = parser.parse_args()
    compute_on_one_thread()
    context = multiprocessing.get_context("spawn")
    loop, _ = build_pipeline("demo", "demo")
    gaps: list[float] = []
    ended = threading.Event()
    with serving(loop, ServerSettings(most_viewers=1000)) as address:
        good = threading.Thread(target=lambda: asyncio.run(watch(address, gaps, ended)))
        good.start()
        while len(gaps) < 50:
            time.sleep(0.1)
        statuses = asyncio.run(malformed(address, arguments.requests))
        during_requests = max(gaps)
        begun = len(gaps)
        for _ in range(0, arguments.disconnects, 10):
            other = context.Process(target=vanish, args=(address, 10))
            other.start()
            other.join()
        limit = time.monotonic() + 15
        while httpx.get(f"{address}/status").json()["viewers"] > 1 and time.monotonic() < limit:
            time.sleep(0.1)
        left = httpx.get(f"{address}/status").json()["viewers"] - 1
        ended.set()
        good.join()
    print(json.dumps({
        "replies": {str(k): v for k, v in sorted(statuses.items(), key=str)},
        "good viewer's longest gap during requests, s": round(during_requests, 2),
        "good viewer's longest gap during disconnects, s": round(max(gaps[begun:]), 2),
        "viewers left": left, "loop's error": str(loop.error) if loop.error else None,
    }, indent=1))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
