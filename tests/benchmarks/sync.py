"""Lips and voice: a clip that flashes and beeps each second, seen and heard in a real Chromium. Run by hand.

    PYTHONPATH=tests python -m benchmarks.sync [--seconds 20] [--publish]

With ``--publish`` the clip comes as a camera's pictures and a microphone's sound do: by WHIP, from another process. The
clip is the demo's, so that pictures take what a face takes; its flash is a corner that turns white, which whitens the
picture that is made of it. Printed is how much later than the flash (its presentation time) the page hears the beep
(its onset in the page's audio graph), beginning four seconds after its sound is turned on; the sound card's own delay
is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from benchmarks.soak import connect, demo_images
from browser import installed, opened, until
from live_serving import serving

from face.threads import compute_on_one_thread
from live.app import build_pipeline
from live.frames import Frame, Generated, Sound
from live.pipeline import Pipeline
from live.streaming.media.video_encoder import SharedEncoder

FLASH_FRAMES = 3
CORNER = 32  # pixels
_OPENING_S = 25  # until a browser has opened the page, and settled
LISTEN = """async (seconds) => {
  const video = document.getElementById('video');
  document.getElementById('sound').click();
  await new Promise((settled) => setTimeout(settled, 4000)); // what the page holds back follows once a second
  const audio = new AudioContext({ latencyHint: 'interactive' });
  const code = `registerProcessor('onset', class extends AudioWorkletProcessor {
    constructor() { super(); this.quiet = 0; }
    process([[channel]]) {
      if (channel) for (let k = 0; k < channel.length; k++) {
        if (Math.abs(channel[k]) > 0.05) {
          if (this.quiet > sampleRate / 4) this.port.postMessage(currentTime + k / sampleRate);
          this.quiet = 0;
        } else this.quiet++;
      }
      return true;
    }
  })`;
  await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
  const onset = new AudioWorkletNode(audio, 'onset');
  audio.createMediaStreamSource(video.srcObject).connect(onset).connect(audio.destination);
  const beeps = [];
  onset.port.onmessage = ({ data }) => beeps.push(data * 1000 + performance.now() - audio.currentTime * 1000);
  const flashes = [];
  const canvas = new OffscreenCanvas(8, 8);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const end = performance.now() + seconds * 1000;
  let white = false;
  await new Promise((done) => {
    const step = (now, { presentationTime }) => {
      context.drawImage(video, 0, 0, 8, 8);
      const bright = context.getImageData(4, 4, 1, 1).data[0] > 220;
      if (bright && !white) flashes.push(presentationTime);
      white = bright;
      performance.now() < end ? video.requestVideoFrameCallback(step) : done();
    };
    video.requestVideoFrameCallback(step);
  });
  return { beeps, flashes };
}"""


def film(path: Path, seconds: int) -> Path:
    """The demo clip, there and back again, with a white corner and loud in the first 120 ms of each second."""
    images = demo_images()
    with av.open(str(path), "w") as sink:
        video, audio = sink.add_stream("libx264", rate=25), sink.add_stream("libopus", rate=48_000)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt, audio.layout = "yuv420p", "stereo"
        for number in range(25 * seconds):
            image = images[number % len(images)].copy()
            image[:CORNER, :CORNER] = 255 if number % 25 < FLASH_FRAMES else 20
            sink.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            for start in range(number * 1920, (number + 1) * 1920, 960):
                t = np.arange(start, start + 960) / 48_000
                wave = np.where(t % 1 < FLASH_FRAMES / 25, 12_000 * np.sin(2 * np.pi * 1000 * t), 0).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], "s16", "stereo")
                frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
                sink.mux(audio.encode(frame))
        sink.mux([*video.encode(), *audio.encode()])
    return path


class Paced(MediaStreamTrack):
    """A clip's pictures as a camera takes them, or its sound as a microphone does, by a clock that both share."""

    def __init__(self, kind: str, clip: Path, clock: Callable[[], float]) -> None:
        self.kind = kind
        super().__init__()
        with av.open(str(clip)) as source:
            frames = source.decode(**{kind: 0})
            if kind == "audio":  # as aiortc's encoder wants it
                packed = av.AudioResampler(format="s16", layout="stereo", rate=48_000)
                frames = (piece for frame in frames for piece in packed.resample(frame))
            self._frames = list(frames)
        self._clock = clock
        self._number = 0

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        """The next picture at its time; the next piece of sound when its last sample is in."""
        if self._number == len(self._frames):
            raise MediaStreamError
        frame = self._frames[self._number]
        length_s = frame.samples / frame.sample_rate if isinstance(frame, av.AudioFrame) else 0
        await asyncio.sleep(max(0.0, frame.time + length_s - self._clock()))
        self._number += 1
        return frame


def publish(address: str, clip: Path, ended) -> None:
    """Another process: a camera and a microphone that take in the clip."""
    begin = functools.cache(time.monotonic)  # when the first of both is asked for

    async def go() -> None:
        tracks = [Paced(kind, clip, lambda: time.monotonic() - begin()) for kind in ("video", "audio")]
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            connection, resource = await connect(client, "/whip", tracks)
            await asyncio.to_thread(ended.wait)
            await client.delete(resource)
            await connection.close()

    asyncio.run(go())


@contextmanager
def publishing(address: str, clip: Path):
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    other = context.Process(target=publish, args=(address, clip, ended))
    other.start()
    try:
        yield
    finally:
        ended.set()
        other.join()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--publish", action="store_true")
    arguments = parser.parse_args()
    compute_on_one_thread()
    chromium = installed() or sys.exit("No Chromium is installed.")
    white: set[float] = set()
    take, put = Pipeline._put, SharedEncoder.put

    def take_noted(self: Pipeline, media: Frame | Sound) -> None:
        if isinstance(media, Frame) and media.image[: CORNER // 2, : CORNER // 2].mean() > 200:
            white.add(media.captured_s)
        take(self, media)

    def put_whitened(self: SharedEncoder, generated: Generated) -> None:
        if generated.captured_s in white:
            generated.image[:] = 255
        put(self, generated)

    Pipeline._put, SharedEncoder.put = take_noted, put_whitened
    with tempfile.TemporaryDirectory() as folder:
        clip = film(Path(folder) / "flash.mkv", round(arguments.seconds) + _OPENING_S)
        loop, _ = build_pipeline("demo", "browser" if arguments.publish else str(clip))
        with (
            serving(loop) as address,
            publishing(address, clip) if arguments.publish else nullcontext(),
            opened(chromium, address, bypass_csp=True) as page,
        ):
            until(page, "document.getElementById('video').videoWidth > 0")
            heard = page.evaluate(LISTEN, arguments.seconds)
            stages = loop.metrics.percentiles()
    flashes, beeps = np.array(heard["flashes"]), np.array(heard["beeps"])
    nearest = [beeps[np.argmin(np.abs(beeps - flash))] - flash for flash in flashes] if len(beeps) else []
    late = np.array([value for value in nearest if abs(value) < 500])
    print(json.dumps({
        "flashes": len(flashes), "beeps": len(beeps),
        "beep after flash, ms (median, least, most)": [round(float(f(late))) for f in (np.median, np.min, np.max)],
        "capture to encoded, ms (median, p95)": [round(value) for value in stages["capture to encoded"]],
    }, indent=1))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
