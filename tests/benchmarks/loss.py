"""A bad line: a real Chromium behind lost and late packets. Run by hand.

    PYTHONPATH=tests python -m benchmarks.loss [--loss 0.02] [--jitter-ms 15] [--delay-ms 20] [--seconds 30]

The line is emulated between server and browser, one way: each packet is lost by chance or held back by the delay and an
exponential jitter, in order. Printed are the gaps between the pictures that the page shows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys

import numpy as np
from aioice.ice import StunProtocol
from browser import installed, opened, until
from live_serving import serving

from face.threads import compute_on_one_thread
from live.app import build_pipeline

WATCH = """async (seconds) => {
  const video = document.getElementById('video');
  const times = [];
  const end = performance.now() + seconds * 1000;
  await new Promise((done) => {
    const step = (now) => { times.push(now); now < end ? video.requestVideoFrameCallback(step) : done(); };
    video.requestVideoFrameCallback(step);
  });
  return times;
}"""


def worsen(loss: float, jitter_s: float, delay_s: float) -> None:
    """Lose and delay whatever is sent from now on, except the connection's own checks."""
    chance = random.Random(0)
    due: dict[StunProtocol, float] = {}

    async def send_badly(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        if chance.random() < loss:
            return
        loop = asyncio.get_running_loop()
        when = max(due.get(self, 0.0), loop.time() + delay_s + chance.expovariate(1 / jitter_s))
        due[self] = when
        loop.call_at(when, self.transport.sendto, data, addr)

    StunProtocol.send_data = send_badly


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", type=float, default=0.02)
    parser.add_argument("--jitter-ms", type=float, default=15)
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    compute_on_one_thread()
    chromium = installed() or sys.exit("No Chromium is installed.")
    worsen(arguments.loss, arguments.jitter_ms / 1000, arguments.delay_ms / 1000)
    loop, _ = build_pipeline("demo", "demo")
    with serving(loop) as address, opened(chromium, address) as page:
        until(page, "document.getElementById('video').videoWidth > 0")
        page.locator("#state[data-state=live]").wait_for(timeout=60_000)
        gaps = np.diff(page.evaluate(WATCH, arguments.seconds))
    print(json.dumps({
        "pictures": len(gaps) + 1, "gap, ms (median, p95, longest)":
        [round(float(v)) for v in (np.median(gaps), np.percentile(gaps, 95), gaps.max())],
        "gaps above 300 ms": int((gaps > 300).sum()),
    }, indent=1))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
