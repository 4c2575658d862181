"""Videos of a person to a dataset: crop, tracking, batch fit (Eq. 2), alignment, frames and conditionings.

    python -m offline.reconstruct OUT VIDEO [VIDEO …] [--held-out VIDEO]

Several videos of one person share one identity. OUT gets ``manifest.json``, ``frames.npy``,
``conditioning.npy``, ``parameters.npz``, and pictures of how it went: ``moments.png``, ``curves.png``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face.camera import ScaledOrthographicCamera
from face.conditioning import CpuConditioning
from face.errors import FaceError
from face.files import sha256
from face.fit_batch import fit_video
from face.fitting import FitSettings, LandmarkBasis, landmarks_camera, reprojection_error
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.video import VideoReader
from offline.align import align_poses
from offline.command import one_sentence
from offline.dataset import made_by, refuse_foreign, stack_parameters, write_dataset
from offline.footage import Track, track_video
from offline.report import write_report

_FORMAT = 3  # of the recipe: another one when the same videos give another dataset
_SHORTEST_S = 3.0  # of all videos to train on together
_CROP_OVER_FACE = 2.1  # side of the square crop over the height of the face's landmarks


@dataclass(frozen=True)
class Crop:
    """The square cut from every frame: left, top and side in px of the video, and the size it is scaled to."""

    left: int
    top: int
    side: int
    size: int

    def image(self, frame: np.ndarray) -> np.ndarray:  # [H, W, 3] uint8
        """The cut, ``[size, size, 3]`` uint8."""
        cut = frame[self.top : self.top + self.side, self.left : self.left + self.side]
        method = cv2.INTER_AREA if self.side > self.size else cv2.INTER_CUBIC
        return cv2.resize(cut, (self.size, self.size), interpolation=method)

    def parameters(self, found: FaceParameters) -> FaceParameters:
        """Parameters of the whole frame, in the cut's px."""
        factor = self.size / self.side
        camera = found.camera
        moved = (camera.translation - [self.left, self.top]) * factor
        placed = ScaledOrthographicCamera(camera.rotation, camera.scale * factor, moved)
        return FaceParameters(found.identity, found.expression, placed, found.gaze)


def choose_crop(landmarks: list[Landmarks], size: int) -> Crop:
    """One crop for the whole video: median face, square, margin, within the picture."""
    boxes = np.array([[*one.points.min(0), *one.points.max(0)] for one in landmarks])
    left, top, right, bottom = np.median(boxes, axis=0)
    width, height = landmarks[0].width, landmarks[0].height
    side = int(min(_CROP_OVER_FACE * (bottom - top), width, height))
    x = np.clip((left + right) / 2 - side / 2, 0, width - side)
    y = np.clip((top + bottom) / 2 - side * 0.52, 0, height - side)
    return Crop(int(round(x)), int(round(y)), side, size)


@dataclass(frozen=True)
class Take:
    """A stretch of a video: its number in the list of videos, first frame and the one after the last."""

    video: int
    first: int
    last: int


def split_takes(tracks: list[Track], held_out: int) -> tuple[list[Take], list[Take]]:
    """Takes to train on and to test on: the stretches of the videos in which the recording goes on.

    The last ``held_out`` videos are tested on; if there are none, the last third of every video, as in the paper.
    """
    train: list[Take] = []
    test: list[Take] = []
    for video, track in enumerate(tracks):
        length = len(track.landmarks)
        test_from = length - length // 3 if not held_out else 0 if video >= len(tracks) - held_out else length
        bounds = sorted({0, *track.breaks, test_from, length})
        for first, last in itertools.pairwise(bounds):
            (test if first >= test_from else train).append(Take(video, first, last))
    return train, test


class Stages:
    """How long each stage of some work took."""

    def __init__(self) -> None:
        self._begin = self._since = time.perf_counter()
        self._took: dict[str, float] = {}

    def done(self, stage: str) -> None:
        """The stage that went on until now is done."""
        now = time.perf_counter()
        self._took[stage] = now - self._since
        self._since = now

    def __str__(self) -> str:
        parts = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self._took.items())
        return f"{self._since - self._begin:.1f} s ({parts})"


def reconstruct(out: Path, videos: list[Path], held_out: list[Path], size: int = 256) -> None:
    """Write the dataset folder, whole or not at all; see the module's docstring.

    A dataset that was made from the same videos is left as it is, another one replaced.

    Raises:
        FaceError: a video cannot be read or is not one face in one take, the videos are too short or differ in size,
            or the folder holds something else.
    """
    refuse_foreign(out)
    model = MorphableModel.load()
    paths = [*videos, *held_out]
    recipe = {
        "format": _FORMAT,
        "model_hash": model.hash,
        "size": size,
        "videos": [{"name": p.name, "sha256": _hash_of_video(p)} for p in paths],
        "held_out_videos": len(held_out),
    }
    if made_by(out, recipe):
        print(f"{out} is up to date.")
        return
    stages = Stages()
    tracks = [track_video(path) for path in paths]
    stages.done("tracking")
    _refuse_unfit(tracks, len(videos))
    train, test = split_takes(tracks, len(held_out))
    seen = [tracks[take.video].landmarks[take.first : take.last] for take in (*train, *test)]
    crop = choose_crop([one for landmarks in seen[: len(train)] for one in landmarks if one is not None], size)
    with ThreadPoolExecutor(1) as reader:  # decoding leaves Python to the fit
        cutting = reader.submit(_cut_out, paths, [*train, *test], seen, crop)
        shots = _found(model, seen, _fit(model, seen, len(train)), crop, cutting.result())
    stages.done("fitting and cutting")
    shown = sum(number < len(train) for number in shots.takes)
    kept = align_poses(model, shots.frames, shots.faces, shown)
    stages.done("aligning")
    renderer = CpuConditioning(model, size)
    conditionings = np.stack([renderer.render(one) for one in tqdm(kept, desc="drawing", unit="frame")])
    stages.done("drawing")
    manifest = recipe | {
        "versions": {
            name: version(name) for name in ("head2head-live", "ai-edge-litert", "numpy", "opencv-python-headless")
        },
        "rate": tracks[0].rate,
        "crop": asdict(crop),
        "takes": [asdict(take) for take in (*train, *test)],
        "held_out_takes": list(range(len(train), len(train) + len(test))),
    }
    parameters = stack_parameters(kept, np.array(shots.takes))
    write_dataset(out, shots.frames, conditionings, parameters, manifest)
    write_report(out, shots.frames, conditionings, parameters, np.array(shots.errors))
    stages.done("writing")
    print(f"{sum(track.seconds for track in tracks):.1f} s of video in {stages}")


def _refuse_unfit(tracks: list[Track], shown: int) -> None:
    """Make sure that videos, of which the first ``shown`` are trained on, go together and suffice."""
    if len({(one.width, one.height) for track in tracks for one in track.landmarks if one is not None}) > 1:
        raise FaceError("The videos differ in size: give videos of one camera setting.")
    seconds = sum(track.seconds for track in tracks[:shown])
    if seconds < _SHORTEST_S:
        raise FaceError(f"The videos last {seconds:.1f} s: give {_SHORTEST_S:.0f} s at least, better some minutes.")


@dataclass(frozen=True)
class Shots:
    """What is kept of the videos: frames ``[F, S, S, 3]`` uint8 with a face, its parameters, take and error each."""

    frames: np.ndarray
    faces: list[FaceParameters]
    takes: list[int]
    errors: list[float]


def _cut_out(paths: list[Path], takes: list[Take], seen: list[list[Landmarks | None]], crop: Crop) -> np.ndarray:
    """The square with the face out of every frame that shows one, ``[F, S, S, 3]`` uint8, in the takes' order."""
    cut: list[list[np.ndarray]] = [[] for _ in takes]
    for k, path in enumerate(paths):
        with VideoReader(path) as video:
            images = iter(video)
            for number in sorted((n for n, take in enumerate(takes) if take.video == k), key=lambda n: takes[n].first):
                of_take = itertools.islice(images, takes[number].last - takes[number].first)
                cut[number] = [
                    crop.image(image)
                    for (image, _), landmarks in zip(of_take, seen[number], strict=True)
                    if landmarks is not None
                ]
    return np.array([image for images_of_take in cut for image in images_of_take])


def _found(
    model: MorphableModel, seen: list[list[Landmarks | None]], fitted: list[list[FaceParameters | None]], crop: Crop,
    frames: np.ndarray,
) -> Shots:  # fmt: skip
    """The frames with what was found in them."""
    basis = LandmarkBasis(model)
    pairs = [
        (number, landmarks, found)
        for number, (take, faces) in enumerate(zip(seen, fitted, strict=True))
        for landmarks, found in zip(take, faces, strict=True)
        if landmarks is not None and found is not None
    ]
    return Shots(
        frames=frames,
        faces=[crop.parameters(found) for _, _, found in pairs],
        takes=[number for number, _, _ in pairs],
        errors=[_error(basis, landmarks, found) for _, landmarks, found in pairs],
    )


def _fit(model: MorphableModel, seen: list[list[Landmarks | None]], shown: int) -> list[list[FaceParameters | None]]:
    """The faces of all takes; the first ``shown`` decide who it is."""
    fitted = _fit_takes(model, seen[:shown], None)
    identity = next(one.identity for faces in fitted for one in faces if one is not None)
    return fitted + _fit_takes(model, seen[shown:], identity)


def _fit_takes(
    model: MorphableModel, takes: list[list[Landmarks | None]], identity: np.ndarray | None
) -> list[list[FaceParameters | None]]:
    """The faces of takes of one person, fitted together; nothing is smoothed across their bounds."""
    bounds = np.cumsum([0, *(len(take) for take in takes)]).tolist()
    fitted = fit_video(model, [one for take in takes for one in take], cuts=bounds[1:-1], identity=identity)
    return [fitted[a:b] for a, b in itertools.pairwise(bounds)]


def _error(basis: LandmarkBasis, landmarks: Landmarks, found: FaceParameters) -> float:
    """Mean reprojection error of the inner face over the inter-ocular distance, by the landmarks' own camera."""
    camera = landmarks_camera(basis, found.camera, FitSettings())
    return reprojection_error(basis, landmarks, camera, found.identity, found.expression, inner_face())


def _hash_of_video(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise FaceError(f"Cannot read the video {path}: {error.strerror}.") from None


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.reconstruct", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out", type=Path, help="folder for the dataset")
    add_options(parser)
    arguments = parser.parse_args()
    reconstruct(arguments.out, arguments.videos, arguments.held_out, arguments.size)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Videos and options of the reconstruction, for this command and ``offline.train``."""
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="videos of the person")
    parser.add_argument(
        "--held-out", type=Path, action="append", default=[], metavar="VIDEO",
        help="video to test on, never trained on (default: the last third of every video)",
    )  # fmt: skip
    parser.add_argument("--size", type=int, default=256, help="height and width of the crop in px (default 256)")


if __name__ == "__main__":
    sys.exit(main())
