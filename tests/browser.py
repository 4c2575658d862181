"""A real Chromium for tests of the page, and what it receives."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"]  # fmt: skip

# Keeps what the page's video shows, frame by frame, then hands it out as JPEG with each frame's RTP time.
_CAPTURE = """async (count) => {
  const video = document.getElementById('video');
  const canvas = new OffscreenCanvas(256, 256);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const kept = [];
  await new Promise((done) => {
    const step = (_, { rtpTimestamp }) => {
      context.drawImage(video, 0, 0, 256, 256);
      kept.push([rtpTimestamp, context.getImageData(0, 0, 256, 256)]);
      kept.length < count ? video.requestVideoFrameCallback(step) : done();
    };
    video.requestVideoFrameCallback(step);
  });
  const found = [];
  for (const [time, data] of kept) {
    context.putImageData(data, 0, 0);
    const jpeg = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
    const bytes = new Uint8Array(await jpeg.arrayBuffer());
    found.push([time, btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''))]);
  }
  return found;
}"""


def installed() -> str | None:
    """The Chromium of this machine, if there is one."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def opened(
    chromium: str,
    address: str,
    camera: Path | None = None,
    width: int = 1200,
    height: int = 800,
    bypass_csp: bool = False,
    script: str = "",
    **options: Any,
) -> Iterator[Page]:
    """The page in a Chromium of its own; ``camera`` is a ``.y4m`` that stands in for a webcam.

    ``script`` runs before the page's own; ``options`` are Playwright's of a page. Fails if the page wrote an error to
    its console.
    """
    flags = list(FLAGS)
    if camera is not None:
        flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                  f"--use-file-for-fake-video-capture={camera}"]  # fmt: skip
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": width, "height": height}, bypass_csp=bypass_csp, **options)
        page.add_init_script(script)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
        page.goto(address)
        try:
            yield page
        finally:
            browser.close()
    assert not errors, errors


def until(page: Page, condition: str, seconds: float = 30) -> None:
    """Wait for a JavaScript condition; unlike ``wait_for_function`` it needs no ``eval``, which the page forbids."""
    page.evaluate(
        f"""async () => {{
          const end = performance.now() + {seconds * 1000};
          while (!({condition})) {{
            if (performance.now() > end) throw new Error('never came true: ' + {json.dumps(condition)});
            await new Promise((next) => setTimeout(next, 20));
          }}
        }}"""
    )


def received(page: Page, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The next frames that the page shows: seconds ``[count]`` by their RTP time, and pictures RGB."""
    found = page.evaluate(_CAPTURE, count)
    times = np.array([(t - found[0][0]) % (1 << 32) for t, _ in found]) / 90_000
    decoded = [cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR) for _, jpeg in found]
    return times, [cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in decoded]


def fake_camera(clip: Path, out: Path, frames: int = 150) -> Path:
    """A clip as the 640×480 raw video that Chromium takes for a webcam."""
    with av.open(str(clip)) as source, av.open(str(out), "w", format="yuv4mpegpipe") as sink:
        stream = sink.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == frames:
                break
            image = frame.to_ndarray(format="rgb24")
            side = 480 / max(image.shape[:2])
            small = cv2.resize(image, None, fx=side, fy=side, interpolation=cv2.INTER_AREA)
            canvas = np.full((480, 640, 3), 60, np.uint8)
            top, left = (480 - small.shape[0]) // 2, (640 - small.shape[1]) // 2
            canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")))
        sink.mux(stream.encode())
    return out
