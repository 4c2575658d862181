"""The sound of a video file, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from live.frames import SOUND_RATE


def read_sound(path: Path, start_s: float) -> Iterator[tuple[np.ndarray, float]]:
    """Pieces of about 20 ms: samples ``[n, 2]`` int16 at 48 kHz, and the time of the first in seconds.

    Times count from ``start_s``, the file's own time of its first frame. A file without sound, or with one that breaks
    off, ends early; nothing is raised.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="s16", layout="stereo", rate=SOUND_RATE, frame_size=SOUND_RATE // 50)
            for frame in container.decode(stream):
                for piece in resampler.resample(frame):
                    yield piece.to_ndarray().reshape(-1, 2), float(piece.time or 0.0) - start_s
    except (av.FFmpegError, OSError):
        return
