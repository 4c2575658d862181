"""Glass to glass: from a frame's capture to the page's pixel, and where the time goes. Run by hand.

    PYTHONPATH=tests python -m benchmarks.glass [--source FILE] [--target demo] [--seconds 20] [--rounds N]

The time at which each frame was captured is painted into it as a bar code just before it is encoded; a real
Chromium reads it back from its video, of every third frame. All of it runs on this machine, by one clock.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from browser import installed, opened, until
from live_parts import Unmarked
from live_serving import serving
from playwright.sync_api import Page

from face.target import TargetInfo
from face.threads import compute_on_one_thread
from live.app import build_pipeline
from live.frames import Generated
from live.pipeline import Pipeline
from live.streaming.media.video_encoder import SharedEncoder

BITS, BAR_ROWS = 24, 8  # a counter of milliseconds, 4.6 hours
EVERY = 3  # frames of which one is read: reading takes 3 ms of the CPUs that the frames wait for
READ = """async ([seconds, bits, rows, every, origin]) => {
  const video = document.getElementById('video');
  const offset = performance.timeOrigin - origin;
  const canvas = new OffscreenCanvas(256, rows);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const end = performance.now() + seconds * 1000;
  const found = [];
  let seen = 0;
  await new Promise((done) => {
    const step = (now, data) => {
      performance.now() < end ? video.requestVideoFrameCallback(step) : done();
      if (seen++ % every) return;
      context.drawImage(video, 0, 0, video.videoWidth, rows * video.videoWidth / 256, 0, 0, 256, rows);
      const read = performance.now() + offset;
      const pixels = context.getImageData(0, rows / 2, 256, 1).data;
      let code = 0;
      for (let b = 0; b < bits; b++) code = code * 2 + (pixels[4 * Math.floor((b + 0.5) * 256 / bits)] > 127 ? 1 : 0);
      const at = (t) => (t === undefined ? null : t + offset - code);
      found.push([read - code, at(data.receiveTime), at(data.presentationTime), at(data.expectedDisplayTime)]);
    };
    video.requestVideoFrameCallback(step);
  });
  return [seen, found];
}"""


def paint(image: np.ndarray, ms: int) -> None:
    """Write a number into the top rows of an image."""
    size = image.shape[1]
    rows = BAR_ROWS * size // 256
    edges = np.round(np.linspace(0, size, BITS + 1)).astype(int)
    for bit in range(BITS):
        image[:rows, edges[bit] : edges[bit + 1]] = 255 * (ms >> (BITS - 1 - bit) & 1)


def stolen_s() -> float:
    """CPU seconds that this machine wanted and its host gave to others, since it started."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


class Plain(Unmarked):
    """Leaves images as they are, in copies: a bar code is painted into them."""

    def apply(self, image: np.ndarray, target: TargetInfo) -> np.ndarray:
        return image.copy()


def measure(page: Page, loop: Pipeline, seconds: float, origin: float) -> dict[str, Any]:
    """Figures of some seconds."""
    loop.metrics.clear()
    fed, dropped = loop.metrics.counts()["in"], loop.dropped()
    begin, stolen = time.monotonic(), stolen_s()
    seen, read = page.evaluate(READ, [seconds, BITS, BAR_ROWS, EVERY, origin])
    found = np.array(read, float)
    found = found[np.abs(found[:, 0]) < 2000]  # a code misread is off by far more
    names = ["read by the page", "received (its last packet)", "handed to the compositor", "expected on the display"]
    return {
        "frames seen": seen,
        "fps seen": round(seen / seconds, 1),
        "frames read": len(found),
        "fed": loop.metrics.counts()["in"] - fed,
        "dropped": loop.dropped() - dropped,
        "taken by the host's other guests, % of one CPU": round(
            100 * (stolen_s() - stolen) / (time.monotonic() - begin), 1
        ),
        "capture to (p50, p95 ms)": {
            name: np.nanpercentile(found[:, k], [50, 95]).round(1).tolist() for k, name in enumerate(names)
        },
        "stages (p50, p95 ms)": {n: [round(a, 2), round(b, 2)] for n, (a, b) in loop.metrics.percentiles().items()},
    }


def compare(page: Page, loop: Pipeline, seconds: float, origin: float, rounds: int) -> dict[str, Any]:
    """With label and watermark and without, alternately: medians of capture to the page's pixel, and of the stage."""
    markings = {"marked": loop.marking, "unmarked": Plain()}
    medians: dict[str, list[float]] = {name: [] for name in markings}
    stage: list[float] = []
    for _ in range(rounds):
        for name, marking in markings.items():
            loop.marking = marking
            figures = measure(page, loop, seconds, origin)
            medians[name].append(figures["capture to (p50, p95 ms)"]["read by the page"][0])
            if name == "marked":
                stage.append(figures["stages (p50, p95 ms)"]["mark"][0])
    differences = np.subtract(medians["marked"], medians["unmarked"])
    return {
        **{f"{name}, ms": values for name, values in medians.items()},
        "marked later by, median of rounds, ms": round(float(np.median(differences)), 1),
        "stage that marks, ms": round(float(np.median(stage)), 2),
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="demo")
    parser.add_argument("--target", default="demo")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--width", type=int, default=1200, help="of the browser's window, px (default 1200)")
    parser.add_argument("--rounds", type=int, default=0,
                        help="compare with and without label and watermark, alternately, so many times")  # fmt: skip
    arguments = parser.parse_args()
    compute_on_one_thread()
    chromium = installed() or sys.exit("No Chromium is installed.")
    start, origin = time.monotonic(), time.time() * 1000
    put = SharedEncoder.put

    def put_painted(self: SharedEncoder, generated: Generated) -> None:
        paint(generated.image, round((generated.captured_s - start) * 1000))
        put(self, generated)

    SharedEncoder.put = put_painted
    loop, _ = build_pipeline(arguments.target, arguments.source)
    with serving(loop) as address, opened(chromium, address, width=arguments.width) as page:
        until(page, "document.getElementById('video').videoWidth > 0")
        page.locator("#state[data-state=live]").wait_for(timeout=60_000)
        if arguments.rounds:
            result = compare(page, loop, arguments.seconds, origin, arguments.rounds)
        else:
            result = measure(page, loop, arguments.seconds, origin)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
