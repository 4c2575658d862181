"""How well tracker and fit do on videos of people.

    python -m offline.fit_quality VIDEO [VIDEO …]

For each video: frames without a face, and the mean distance of fitted and tracked landmarks over the inner face, in
per cent of the distance of the outer eye corners, for the live fit, for the fit over the whole video, and for that
without its temporal smoothness; and how much of the expression's jitter (mean second difference) the smoothness leaves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.errors import FaceError
from face.fit_batch import fit_video
from face.fit_online import OnlineFitter
from face.fitting import FitSettings, LandmarkBasis, reprojection_error
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.tracking import FaceTracker
from face.video import VideoReader


@dataclass(frozen=True)
class FitQuality:
    """Figures of one video.

    Attributes:
        frames, without_face: how many.
        live, batch, rough: mean errors over the inter-ocular distance: of the live fit, of the fit over the whole
            video, and of that without temporal smoothness.
        jitter_left: mean second difference of the smooth fit's expressions, over the rough one's.
    """

    frames: int
    without_face: int
    live: float
    batch: float
    rough: float
    jitter_left: float


def fit_quality(model: MorphableModel, seen: Sequence[Landmarks | None]) -> FitQuality:
    """Track record of both fits on a tracked video.

    Raises:
        FaceError: no frame shows a face.
    """
    settings = FitSettings(nod=1.0)  # the landmarks themselves are to be explained
    fitter = OnlineFitter(model, settings)
    live: list[FaceParameters | None] = []
    for one in seen:
        if one is None:
            fitter.lost()
        live.append(None if one is None else fitter.fit(one))
    if not any(seen):
        raise FaceError("no face was found")
    batch, rough = (fit_video(model, seen, replace(settings, smoothness_spread=s)) for s in
                    (settings.smoothness_spread, np.inf))  # fmt: skip
    basis = LandmarkBasis(model)
    return FitQuality(
        frames=len(seen),
        without_face=sum(one is None for one in seen),
        live=_mean_error(basis, seen, live),
        batch=_mean_error(basis, seen, batch),
        rough=_mean_error(basis, seen, rough),
        jitter_left=_jitter(batch) / _jitter(rough),
    )


def track(path: Path) -> list[Landmarks | None]:
    """Landmarks of every frame of a video, whatever it shows."""
    tracker = FaceTracker()
    with VideoReader(path) as video:
        frames = tqdm(video, total=video.frames or None, desc=path.name, unit="frame", leave=False)
        return [tracker.track(image, round(time_s * 1000)) for image, time_s in frames]


def _mean_error(
    basis: LandmarkBasis, seen: Sequence[Landmarks | None], found: Sequence[FaceParameters | None]
) -> float:
    return float(np.mean([
        reprojection_error(basis, one, fit.camera, fit.identity, fit.expression, inner_face())
        for one, fit in zip(seen, found, strict=True) if one is not None and fit is not None
    ]))  # fmt: skip


def _jitter(found: Sequence[FaceParameters | None]) -> float:
    """Mean second difference of the expressions of consecutive frames."""
    triples = zip(found, found[1:], found[2:], strict=False)
    return float(np.mean([
        np.abs(a.expression - 2 * b.expression + c.expression).mean() for a, b, c in triples if a and b and c
    ]))  # fmt: skip


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.fit_quality", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    model = MorphableModel.load()
    print(f"{'video':<24}{'frames':>8}{'no face':>9}{'live %':>9}{'batch %':>9}{'rough %':>9}{'jitter left %':>15}")
    status = 0
    for path in parser.parse_args().videos:
        try:
            found = fit_quality(model, track(path))
            print(f"{path.name:<24}{found.frames:>8}{found.without_face:>9}"
                  f"{100 * found.live:>9.2f}{100 * found.batch:>9.2f}{100 * found.rough:>9.2f}"
                  f"{100 * found.jitter_left:>15.0f}", flush=True)  # fmt: skip
        except FaceError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
