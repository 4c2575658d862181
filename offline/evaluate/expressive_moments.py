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
    "O": lambda own, change: np.minimum(own["gap"], 0.2) - change["width"],
    "closed mouth": lambda own, change: -own["gap"] - 0.1 * np.abs(change["width"]),
    "frown": lambda _, change: -change["brow height"] - change["brow distance"],
}


def distances(seen: Sequence[Landmarks | None]) -> Distances:
    """The distances of ``MOVEMENTS`` in each frame, NaN where there is no face."""
    found = {name: np.full(len(seen), np.nan) for name in MOVEMENTS}
    for k, one in enumerate(seen):
        if one is not None:
            points = one.points[None, :SURFACE_COUNT]
            for name, measure in MOVEMENTS.items():
                found[name][k] = measure(points).mean() / one.interocular_px
    return found


def moments(videos: Sequence[Sequence[Landmarks | None]], begin: int) -> dict[str, list[tuple[int, int]]]:
    """For each of ``KINDS``, up to ``PER_KIND`` moments (number of the video, of the frame), the strongest first.

    Args:
        videos: what the tracker saw in each.
        begin: first frame of each video that may be chosen.
    """
    chosen: dict[str, list[tuple[int, int]]] = {}
    measured = [distances(seen) for seen in videos]
    for kind, score in KINDS.items():
        scored: list[tuple[float, int, int]] = []
        for number, own in enumerate(measured):
            change = {name: values - np.nanmedian(values) for name, values in own.items()}
            for frame, value in enumerate(score(own, change)):
                if frame >= begin and np.isfinite(value):
                    scored.append((float(value), number, frame))
        found: list[tuple[int, int]] = []
        for _, number, frame in sorted(scored, reverse=True):
            near = [f for n, f in found if n == number]
            if len(near) < _MOST_OF_ONE and all(abs(f - frame) > _APART for f in near):
                found.append((number, frame))
            if len(found) == PER_KIND:
                break
        chosen[kind] = found
    return chosen
