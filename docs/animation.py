"""Make ``docs/demo.webp``, the README's animation: the demo clip, what is told to the network, the demo person.

    python docs/animation.py

Both people are invented and ship with the program.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from face.video import VideoReader

REPOSITORY = Path(__file__).parents[1]
EVERY, FRAME_MS, QUALITY = 2, 80, 55  # every second frame of 25 a second
WIDTH = 720


def main() -> None:
    """Reenact the demo clip side by side, and write every second frame as an animated WebP."""
    with tempfile.TemporaryDirectory() as folder:
        compared = Path(folder) / "compared.mp4"
        subprocess.run(
            [sys.executable, "-m", "offline.reenact", "--target", "trt_engines/demo.onnx", "--source",
             "live/sources/studio_noor.mp4", "--out", compared, "--compare"],
            cwd=REPOSITORY, check=True,
        )  # fmt: skip
        with VideoReader(compared) as video:
            frames = [Image.fromarray(image) for image, _ in list(video)[::EVERY]]
    height = round(frames[0].height * WIDTH / frames[0].width)
    first, *others = (frame.resize((WIDTH, height), Image.Resampling.LANCZOS) for frame in frames)
    first.save(
        REPOSITORY / "docs" / "demo.webp", save_all=True, append_images=others, duration=FRAME_MS, loop=0,
        quality=QUALITY, method=6,
    )  # fmt: skip


if __name__ == "__main__":
    main()
