"""The watermark's table for docs/trust.md: attack by bit accuracy, time and PSNR. Run by hand.

    PYTHONPATH=tests python -m benchmarks.watermark [VIDEO …] [--unmarked VIDEO …]

Without a video the demo target itself is driven by the clip that ships. ``--unmarked`` counts false alarms in videos.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from conftest import DEMO_TARGET
from watermark_attacks import ATTACKS, RATE, Images

from face.frame_chain import FrameChain
from face.morphable import MorphableModel
from face.retarget import Retargeter, RetargetSettings
from face.threads import compute_on_one_thread
from face.video import VideoReader
from live.sources.video_file import DEMO_CLIP
from live.target_loading import load_target
from live.trust.code import message_of
from live.trust.watermark import Watermark
from live.trust.watermark_detector import locate, read_message, read_watermark

SECONDS, SETTLING = 4, 25
SESSION_ID = "0123456789"


def demo_images(count: int) -> Images:
    """What the demo target shows when the clip drives it, from its second second on."""
    model = MorphableModel.load()
    loaded = load_target(DEMO_TARGET, model, None)
    chain = FrameChain(model, loaded.info, loaded.renderer, Retargeter(loaded.info, model))
    images = []
    with VideoReader(DEMO_CLIP) as video:
        for image, time_s in islice(video, SETTLING + count):
            conditioning = chain.step(image, time_s, RetargetSettings()).conditioning
            images.append(np.array(loaded.generator.step(conditioning)))
    return images[SETTLING:]


def video_images(path: Path, count: int) -> Images:
    """A video's middle square at 256 px."""
    images = []
    with VideoReader(path) as video:
        for image, _ in islice(video, count):
            height, width = image.shape[:2]
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            square = image[top : top + side, left : left + side]
            images.append(cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA))
    return images


def marked(images: Images) -> tuple[Images, float]:
    """Marked images, and the median time that one took in ms."""
    watermark, times_s, results = Watermark(SESSION_ID), [], []
    for image in images:
        begin_s = time.perf_counter()
        results.append(watermark.apply(image))
        times_s.append(time.perf_counter() - begin_s)
    return results, float(np.median(times_s) * 1000)


def print_table(name: str, images: Images) -> None:
    results, ms = marked(images)
    large, large_ms = marked([cv2.resize(image, (512, 512), interpolation=cv2.INTER_CUBIC) for image in images])
    psnr = [10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)) for a, b in zip(images, results, strict=True)]
    print(f"\n{name}: {len(images)} frames; {ms:.2f} ms a frame at 256 px, {large_ms:.2f} at {large[0].shape[0]}; "
          f"PSNR {np.mean(psnr):.1f} dB, at least {min(psnr):.1f}")  # fmt: skip
    print("| attack | z | bits of 1 s | bits of one frame | to read, s |\n|---|---|---|---|---|")
    for attack, apply in ATTACKS.items():
        attacked = apply(results)
        seconds = [attacked[i : i + RATE] for i in range(0, len(attacked) - RATE + 1, RATE)]
        begin_s = time.perf_counter()
        located = [locate(second) for second in seconds]
        took_s = (time.perf_counter() - begin_s) / len(seconds)
        of_second = np.mean([bit_accuracy(read_message(candidate)) for candidate in located])
        of_frame = np.mean([bit_accuracy(read_message(locate(second[-1:]))) for second in seconds])
        z = min(candidate.z for candidate in located)
        print(f"| {attack} | {z:.1f} | {of_second:.1%} | {of_frame:.1%} | {took_s:.1f} |", flush=True)


def bit_accuracy(message: bytes) -> float:
    wrong = np.frombuffer(message, np.uint8) ^ np.frombuffer(message_of(SESSION_ID), np.uint8)
    return 1 - float(np.unpackbits(wrong).mean())


def count_false_alarms(paths: list[Path], most: int) -> None:
    """The first seconds of the videos."""
    seconds, alarms = 0, 0
    for path in paths:
        for frames in islice(_seconds(path), most):
            seconds, alarms = seconds + 1, alarms + (read_watermark(frames) is not None)
        print(f"{path.name}: {alarms} false alarms in {seconds} s so far", flush=True)


def _seconds(path: Path) -> Iterator[Images]:
    with VideoReader(path) as video:
        images = (image for image, _ in video)
        while len(frames := list(islice(images, RATE))) == RATE:
            yield frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--unmarked", type=Path, nargs="+", default=[])
    parser.add_argument("--seconds", type=int, default=10, help="of each unmarked video, at most (default 10)")
    options = parser.parse_args()
    compute_on_one_thread()
    if options.unmarked:
        count_false_alarms(options.unmarked, options.seconds)
        return
    if not options.videos:
        print_table("demo target", demo_images(SECONDS * RATE))
    for path in options.videos:
        print_table(path.name, video_images(path, SECONDS * RATE))


if __name__ == "__main__":
    main()
