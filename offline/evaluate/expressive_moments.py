"""The moments of drivers' videos that show most: grins, O's, closed mouths, frowns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from face.landmarks import SURFACE_COUNT, Landmarks
from offline.evaluate.fit_quality import MOVEMENTS

PER_KIND = 5
_MOST_OF_ONE = 2  # moments of a kind from one video
_APART = 25  # frames between two of them

Distances = dict[str, np.ndarray]  # by the names of MOVEMENTS, [F] over the inter-ocular distance

# How much a frame shows of each kind, from its distances and from their changes about the video's median.
KINDS: dict[str, Callable[[Distances, Distances], np.ndarray]] = {
    "grin": lambda _, change: change["width"],
    "O": lambda distance, change: np.minimum(distance["gap"], 0.2) - change["width"],
    "closed mouth": lambda distance, change: -distance["gap"] - 0.1 * np.abs(change["width"]),
    "frown": lambda _, change: -change["brow height"] - change["brow distance"],
}


def distances(tracked: Sequence[Landmarks | None]) -> Distances:
    """The distances of ``MOVEMENTS`` in each frame, NaN where there is no face."""
    values = {name: np.full(len(tracked), np.nan) for name in MOVEMENTS}
    for k, landmarks in enumerate(tracked):
        if landmarks is not None:
            points = landmarks.points[None, :SURFACE_COUNT]
            for name, measure in MOVEMENTS.items():
                values[name][k] = measure(points).mean() / landmarks.interocular_px
    return values


def moments(videos: Sequence[Sequence[Landmarks | None]], begin: int) -> dict[str, list[tuple[int, int]]]:
    """For each of ``KINDS``, up to ``PER_KIND`` moments (number of the video, of the frame), the strongest first.

    Args:
        videos: what the tracker saw in each.
        begin: first frame of each video that may be chosen.
    """
    chosen: dict[str, list[tuple[int, int]]] = {}
    measured = [distances(tracked) for tracked in videos]
    for kind, score in KINDS.items():
        scored: list[tuple[float, int, int]] = []
        for number, frames in enumerate(measured):
            change = {name: values - np.nanmedian(values) for name, values in frames.items()}
            for frame, value in enumerate(score(frames, change)):
                if frame >= begin and np.isfinite(value):
                    scored.append((float(value), number, frame))
        strongest: list[tuple[int, int]] = []
        for _, number, frame in sorted(scored, reverse=True):
            near = [f for n, f in strongest if n == number]
            if len(near) < _MOST_OF_ONE and all(abs(f - frame) > _APART for f in near):
                strongest.append((number, frame))
            if len(strongest) == PER_KIND:
                break
        chosen[kind] = strongest
    return chosen
