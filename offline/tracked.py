"""Videos as the tracker sees them."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from face.landmarks import Landmarks
from face.tracking import FaceTracker
from face.video import VideoReader


def track(path: Path) -> list[Landmarks | None]:
    """Landmarks of every frame of a video, ``None`` where there is no face.

    Raises:
        UserError: the video cannot be read.
    """
    tracker = FaceTracker()
    with VideoReader(path) as video:
        frames = tqdm(video, total=video.frames or None, desc=path.name, unit="frame", leave=False)
        return [tracker.track(image, round(time_s * 1000)) for image, time_s in frames]
