"""How many sessions this machine holds: publishers at 25 fps, each with a loop of its own. Run by hand.

    PYTHONPATH=tests python -m benchmarks.sessions [--sessions 1 2 3] [--seconds 20] [--device cuda]

Printed for each number: every session's pictures a second and their age, so that it shows whether each keeps its share.
Publishers run in a process of their own, on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time

import httpx
from benchmarks.soak import Camera, connect
from live_serving import serving

from face.threads import compute_on_one_thread
from live.app import build_pipeline
from live.device import Device, choose
from live.streaming.http.server import ServerSettings
from live.streaming.session import Sessions


def publish(address: str, count: int, connected, ended) -> None:
    """Another process: cameras that send the demo clip."""

    async def go() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            peers = [await connect(client, "/whip", [Camera()]) for _ in range(count)]
            connected.set()
            await asyncio.to_thread(ended.wait)
            for connection, resource in peers:
                await client.delete(resource)
                await connection.close()

    asyncio.run(go())


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--device", choices=[d.value for d in Device], default=Device.AUTO.value)
    arguments = parser.parse_args()
    compute_on_one_thread()
    kept: list[Sessions] = []
    build = Sessions.__init__

    def build_and_keep(self: Sessions, *given: object) -> None:
        build(self, *given)
        kept.append(self)

    Sessions.__init__ = build_and_keep
    context = multiprocessing.get_context("spawn")
    loop, _ = build_pipeline("demo", "browser", gpu=choose(Device(arguments.device))[0])
    with serving(loop, ServerSettings(most_sessions=max(2, *arguments.sessions))) as address:
        for count in arguments.sessions:
            connected, ended = context.Event(), context.Event()
            other = context.Process(target=publish, args=(address, count, connected, ended))
            other.start()
            connected.wait()
            time.sleep(8)  # identities are found
            others = [session.pipeline for session in kept[0].all()[1:]]
            for one in others:
                one.metrics.clear()
            made = [one.metrics.counts().get("out", 0) for one in others]
            begin = time.monotonic()
            time.sleep(arguments.seconds)
            passed = time.monotonic() - begin
            rows = [
                {
                    "fps": round((one.metrics.counts()["out"] - before) / passed, 1),
                    "generate, ms (median)": round(one.metrics.percentiles()["generate"][0], 1),
                    "track, ms (median)": round(one.metrics.percentiles()["track"][0], 1),
                }
                for one, before in zip(others, made, strict=True)
            ]
            print(json.dumps({f"{count} sessions": rows}, indent=1), flush=True)
            ended.set()
            other.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
