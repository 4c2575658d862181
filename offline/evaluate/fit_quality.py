"""How well the fits follow the tracker on videos of people.

    python -m offline.fit_quality VIDEO [VIDEO …]

For each video, a line for the live fit and one for the fit over the whole video. Mouth and brows: slope and correlation
of fitted against tracked distances (1 and 1 for a perfect fit; ``still`` where nothing moves). Lips and face: mean
distance of fitted and tracked landmarks in per cent of the distance of the outer eye corners: of the inner lips in
frames that show an open mouth, and of all points inside the face's outline. Jitter: second differences of the fitted
landmarks over the tracked ones'. Time: median milliseconds per frame of the live fit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face.errors import UserError
from face.fit_batch import fit_video
from face.fitting import FitSettings, LandmarkBasis
from face.follow_person import LiveFit
from face.landmarks import (
    EYE_CORNERS,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    RIGHT_BROW,
    RIGHT_EYE,
    SURFACE_COUNT,
    Landmarks,
    inner_face,
)
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from offline.tracked import track

_RATE = 25.0  # frames a second, at which the live fit takes them to come
_STILL = 0.001  # of the inter-ocular distance, standard deviation: there is nothing to follow
_OPEN_GAP = 0.05  # of the inter-ocular distance: a mouth that is open
_MIDDLE_OF_LIPS = (13, 14)  # inner edge, upper and lower
_MOUTH_CORNERS = (61, 291)
_UNDER_NOSE, _UPPER_LIP = 2, 0
_INNER_BROWS = (55, 285)


def _between(a: int, b: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda points: np.linalg.norm(points[:, a] - points[:, b], axis=-1)[:, None]


def _brow_heights(points: np.ndarray) -> np.ndarray:
    """How far each brow's middle is from its eye's, ``[F, 2]``."""
    sides = ((LEFT_BROW, LEFT_EYE), (RIGHT_BROW, RIGHT_EYE))
    corners = (0, 8)  # of an eye's loop
    gaps = [points[:, brow].mean(1) - points[:, [eye[k] for k in corners]].mean(1) for brow, eye in sides]
    return np.linalg.norm(np.stack(gaps, axis=1), axis=-1)


# Distances on a face, ``[F, n]`` px from points ``[F, 468, 2]``: how far something moves, n times (left, right).
MOVEMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gap": _between(*_MIDDLE_OF_LIPS),
    "width": _between(*_MOUTH_CORNERS),
    "raise": _between(_UNDER_NOSE, _UPPER_LIP),
    "brow height": _brow_heights,
    "brow distance": _between(*_INNER_BROWS),
}


@dataclass(frozen=True)
class FitQuality:
    """Figures of one fit of one video.

    Attributes:
        slopes, correlations: of fitted against tracked distances, by the names of ``MOVEMENTS``; NaN for what stays
            still.
        inner_lips: mean error of the inner lips in frames with an open mouth, over the inter-ocular distance; NaN if
            there is none.
        inner_face: mean error inside the face's outline, in all frames.
        jitter: mean second difference of the fitted landmarks over the tracked ones'.
    """

    slopes: dict[str, float]
    correlations: dict[str, float]
    inner_lips: float
    inner_face: float
    jitter: float


def compare(tracked: np.ndarray, fitted: np.ndarray, consecutive: np.ndarray) -> FitQuality:
    """Figures of a fit.

    Args:
        tracked: ``[F, 468, 2]`` px, of frames with a face.
        fitted: the same landmarks of the fitted faces.
        consecutive: ``[F - 2]`` bool, whether a frame and the two after it follow each other.
    """
    interocular = np.linalg.norm(tracked[:, EYE_CORNERS[0]] - tracked[:, EYE_CORNERS[1]], axis=-1)[:, None]
    slopes, correlations = {}, {}
    for name, distance in MOVEMENTS.items():
        expected, measured = (distance(points) / interocular for points in (tracked, fitted))
        expected, measured = expected - expected.mean(0), measured - measured.mean(0)  # each about its own mean
        together, power = (expected * measured).sum(), (expected**2).sum()
        moves = np.sqrt(power / expected.size) > _STILL
        slopes[name] = float(together / power) if moves else float("nan")
        correlations[name] = float(together / np.sqrt(power * (measured**2).sum())) if moves else float("nan")
    error = np.linalg.norm(tracked - fitted, axis=-1) / interocular
    opened = MOVEMENTS["gap"](tracked)[:, 0] > _OPEN_GAP * interocular[:, 0]
    inner = inner_face()
    second = [np.linalg.norm(np.diff(p[:, inner], 2, axis=0), axis=-1)[consecutive].mean() for p in (fitted, tracked)]
    return FitQuality(
        slopes=slopes,
        correlations=correlations,
        inner_lips=float(error[opened][:, INNER_LIPS].mean()) if opened.any() else float("nan"),
        inner_face=float(error[:, inner].mean()),
        jitter=float(second[0] / second[1]),
    )


def live_fit(
    model: MorphableModel, video: Sequence[Landmarks | None], settings: FitSettings
) -> tuple[list[FaceParameters | None], float]:
    """What the live loop's fit finds in each frame, and the median of its milliseconds."""
    fit = LiveFit(model, settings=settings, smooths_camera=False)
    fitted: list[FaceParameters | None] = []
    took_s: list[float] = []
    for number, landmarks in enumerate(video):
        begin = time.perf_counter()
        fitted.append(fit.step(landmarks, number / _RATE))
        if landmarks is not None:
            took_s.append(time.perf_counter() - begin)
    return fitted, 1000 * float(np.median(took_s))


def fit_quality(model: MorphableModel, video: Sequence[Landmarks | None]) -> tuple[FitQuality, FitQuality, float]:
    """Figures of the live fit and of the fit over the whole video, and the live fit's milliseconds.

    Raises:
        UserError: fewer than three consecutive frames show a face.
    """
    present = np.array([landmarks is not None for landmarks in video])
    if not (present[:-2] & present[1:-1] & present[2:]).any():
        raise UserError("no face was found in three consecutive frames")
    numbers = np.flatnonzero(present)
    consecutive = (np.diff(numbers)[:-1] == 1) & (np.diff(numbers)[1:] == 1)
    tracked = np.stack([landmarks.points[:SURFACE_COUNT] for landmarks in video if landmarks is not None])
    settings = FitSettings(pitch_gain=1.0)  # the landmarks themselves are to be explained
    basis = LandmarkBasis(model)
    live, milliseconds = live_fit(model, video, settings)
    of_both = [
        compare(tracked, np.stack([_landmarks(basis, face) for face in fitted if face is not None]), consecutive)
        for fitted in (live, fit_video(model, video, settings))
    ]
    return of_both[0], of_both[1], milliseconds


def _landmarks(basis: LandmarkBasis, face: FaceParameters) -> np.ndarray:
    """Landmarks of a fitted face, ``[468, 2]`` px."""
    return face.camera.project(basis.shape(face.identity, face.expression))[:, :2]


def header() -> str:
    """Names of the columns of ``line``."""
    movements = "".join(f"{name:>15}" for name in MOVEMENTS)
    return f"{'video':<20}{'fit':<7}{'frames':>7}{movements}{'lips %':>8}{'face %':>8}{'jitter':>8}{'ms':>6}"


def line(name: str, fit: str, frames: int, quality: FitQuality, milliseconds: float | None) -> str:
    """One fit's figures, ``slope / correlation`` for each movement."""
    movements = "".join(
        f"{'still':>15}"
        if np.isnan(quality.slopes[m])
        else f"{quality.slopes[m]:>8.2f} /{quality.correlations[m]:>5.2f}"
        for m in MOVEMENTS
    )
    took = "" if milliseconds is None else f"{milliseconds:>6.1f}"
    return (f"{name:<20}{fit:<7}{frames:>7}{movements}{100 * quality.inner_lips:>8.2f}{100 * quality.inner_face:>8.2f}"
            f"{quality.jitter:>8.2f}{took}")  # fmt: skip


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.fit_quality", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    paths = parser.parse_args().videos
    model = MorphableModel.load()
    print(header())
    status = 0
    for path in paths:
        try:
            video = track(path)
            live, batch, milliseconds = fit_quality(model, video)
        except UserError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            status = 1
            continue
        faces = sum(landmarks is not None for landmarks in video)
        print(line(path.stem, "live", faces, live, milliseconds))
        print(line(path.stem, "batch", faces, batch, None), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
