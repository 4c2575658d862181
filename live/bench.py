"""How fast the loop is, stage by stage, and how old a frame is when it is sent.

    python -m live.bench [--target demo] [--source demo|FILE] [--device auto|cuda|cpu] [--frames 500] [--json]

Two runs: unthrottled (every frame, as fast as they go) and fed at 25 fps (newest frame wins), both encoded.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import platform
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from face.errors import UserError
from face.morphable import MorphableModel
from face.target import find_target
from face.threads import compute_on_one_thread
from live.device import Device, choose
from live.doctor import cpu
from live.frames import Frame, Generated, Media
from live.pipeline import Pipeline
from live.sources.open import SourceSettings, open_source
from live.sources.video_file import FileSource
from live.streaming.media.video_encoder import SharedEncoder
from live.target_loading import load_target
from trt_engines.folders import TARGET_FOLDERS
from trt_engines.gpu import Gpu

_FED_FPS = 25.0
_WARM_UP = 100  # frames before measuring: compilation, calibration of identity


class Replay:
    """Decoded frames over and over, so that decoding a file is not measured.

    Args:
        source: file to decode at most ``most`` frames of.
        fps: rate to feed at; ``None`` for as fast as they are taken.
    """

    def __init__(self, source: FileSource, fps: float | None, most: int = 400) -> None:
        self.name = source.name
        self._fps = fps
        self._images: list[np.ndarray] = []
        enough = threading.Event()

        def keep(media: Media) -> None:
            assert isinstance(media, Frame)  # a file that is not paced is read without its sound
            self._images.append(media.image)
            if len(self._images) >= most:
                enough.set()

        source.run(keep, enough)

    def run(self, emit: object, stop: threading.Event) -> None:
        """Deliver frames there and back again, so that nothing jumps where the clip ends."""
        assert callable(emit)
        order = [*self._images, *self._images[-2:0:-1]]
        begin, number = time.monotonic(), 0
        while not stop.is_set():
            if self._fps:
                due = begin + number / self._fps
                if stop.wait(max(0.0, due - time.monotonic())):
                    return
            emit(Frame(order[number % len(order)], time.monotonic(), number))
            number += 1


def measure(
    target: str, source: str, frames: int, fps: float | None, gpu: Gpu | None = None, size: int | None = None
) -> dict[str, object]:
    """Figures of one run."""
    model = MorphableModel.load()
    loaded = load_target(find_target(target, TARGET_FOLDERS), model, gpu, size)
    opened = open_source(source, SourceSettings(paced=False, loop=False))
    if not isinstance(opened, FileSource):
        raise UserError("The benchmark needs a video file or demo as its source.")
    live = Pipeline(model, loaded, Replay(opened, fps), drop=fps is not None)
    loop = asyncio.new_event_loop()
    turning = threading.Thread(target=loop.run_forever, daemon=True)
    turning.start()
    encoder = SharedEncoder(loop, live.metrics, functools.partial(live.fail, "encode"))
    encoder.subscribe()  # without a viewer nothing would be encoded
    warm, done = threading.Event(), threading.Event()
    generated = 0

    def count(_: Generated) -> None:
        nonlocal generated
        generated += 1
        if generated == _WARM_UP:
            warm.set()
        if generated == _WARM_UP + frames:
            done.set()

    def end() -> None:
        warm.set()
        done.set()

    live.on_end = end
    live.sinks += [encoder.put, count]
    live.start()
    warm.wait()
    live.metrics.clear()
    dropped, entered, cpu = live.dropped(), live.metrics.counts().get("in", 0), time.process_time()
    memory = memory_mb()
    begin = time.monotonic()
    done.wait()
    elapsed = time.monotonic() - begin
    cpu = time.process_time() - cpu
    result: dict[str, object] = {
        "frames": frames,
        "fps": frames / elapsed,
        "fed": live.metrics.counts().get("in", 0) - entered,
        "dropped": live.dropped() - dropped,
        "cores": cpu / elapsed,
        "memory_mb": {"begin": memory, "end": memory_mb()},
        "ms": {n: {"median": a, "p95": b} for n, (a, b) in live.metrics.percentiles().items()},
    }
    live.stop()
    encoder.close()
    loop.call_soon_threadsafe(loop.stop)
    turning.join()
    if live.error:
        raise live.error
    return result


def memory_mb() -> float:
    """Memory that this process holds now; where the system does not say, the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


def machine() -> dict[str, str]:
    """Where this was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {"cpu": cpu(), "python": platform.python_version(), "commit": commit.stdout.strip()}


def _table(title: str, result: dict[str, object]) -> str:
    stages = result["ms"]
    assert isinstance(stages, dict)
    fed, dropped = result["fed"], result["dropped"]
    memory = result["memory_mb"]
    assert isinstance(fed, int) and isinstance(dropped, int) and isinstance(memory, dict)
    lines = [f"{title}: {result['fps']:.1f} fps, {result['cores']:.2f} cores, "
             f"{dropped} of {fed} dropped ({100 * dropped / max(fed, 1):.1f} %), "
             f"memory {memory['begin']:.0f} to {memory['end']:.0f} MB",
             f"  {'stage':<20}{'median ms':>10}{'p95 ms':>10}"]  # fmt: skip
    lines += [f"  {n:<20}{v['median']:>10.2f}{v['p95']:>10.2f}" for n, v in stages.items()]
    return "\n".join(lines)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m live.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--target", default="demo")
    parser.add_argument("--source", default="demo")
    parser.add_argument("--device", choices=[d.value for d in Device], default=Device.AUTO.value)
    parser.add_argument("--size", type=int, metavar="PX", help="of the images (default: the target's largest)")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    compute_on_one_thread()
    try:
        gpu, where = choose(Device(arguments.device))
        runs = {
            title: measure(arguments.target, arguments.source, arguments.frames, fps, gpu, arguments.size)
            for title, fps in (("unthrottled", None), ("fed at 25 fps", _FED_FPS))
        }
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"machine": machine() | {"device": where}, "runs": runs}, indent=1))
        return 0
    print(", ".join(machine().values()))
    print(where)
    for title, result in runs.items():
        print(_table(title, result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
