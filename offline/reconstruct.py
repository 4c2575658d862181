"""Videos of a person to a dataset: crop, tracking, batch fit (Eq. 2), alignment, frames and conditionings.

    python -m offline.reconstruct OUT VIDEO [VIDEO …] [--held-out VIDEO]

Several videos of one person share one identity. OUT gets ``manifest.json``, ``frames.npy``,
``conditioning.npy``, ``parameters.npz``, and pictures of how it went: ``moments.png``, ``curves.png``.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face.camera import ScaledOrthographicCamera
from face.conditioning import CpuConditioning
from face.errors import FaceError
from face.fit_batch import fit_video
from face.fitting import FitSettings, LandmarkBasis, landmarks_camera, reprojection_error
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.video import VideoReader
from offline.align import align_poses
from offline.command import one_sentence
from offline.dataset import refuse_foreign, stack_parameters, write_dataset
from offline.footage import track_video
from offline.report import write_report

_FORMAT = 2
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


def split_takes(lengths: list[int], held_out: int) -> tuple[list[Take], list[Take]]:
    """Takes to train on and to test on, of videos with so many frames.

    The last ``held_out`` videos are tested on; if there are none, the last third of every video, as in the paper.
    """
    if held_out:
        whole = [Take(k, 0, length) for k, length in enumerate(lengths)]
        return whole[:-held_out], whole[-held_out:]
    cuts = [length - length // 3 for length in lengths]
    train = [Take(k, 0, cut) for k, cut in enumerate(cuts)]
    return train, [Take(k, cut, length) for k, (cut, length) in enumerate(zip(cuts, lengths, strict=True))]


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
        "videos": [{"name": p.name, "sha256": _sha256(p)} for p in paths],
        "held_out_videos": len(held_out),
    }
    if _made_by(out, recipe):
        print(f"{out} is up to date.")
        return
    tracked = [track_video(path) for path in paths]
    if len({(one.width, one.height) for landmarks in tracked for one in landmarks if one is not None}) > 1:
        raise FaceError("The videos differ in size: give videos of one camera setting.")
    with VideoReader(paths[0]) as video:
        rate = video.rate
    seconds = sum(len(landmarks) for landmarks in tracked[: len(videos)]) / rate
    if seconds < _SHORTEST_S:
        raise FaceError(f"The videos last {seconds:.1f} s: give {_SHORTEST_S:.0f} s at least, better some minutes.")
    train, test = split_takes([len(landmarks) for landmarks in tracked], len(held_out))
    seen = [tracked[take.video][take.first : take.last] for take in (*train, *test)]
    crop = choose_crop([one for landmarks in seen[: len(train)] for one in landmarks if one is not None], size)
    fitted = _fit_takes(model, seen[: len(train)], None)
    identity = next(one.identity for faces in fitted for one in faces if one is not None)
    fitted += _fit_takes(model, seen[len(train) :], identity)

    basis = LandmarkBasis(model)
    pictures, kept, take_of, errors = [], [], [], []
    for number, (take, faces) in enumerate(zip((*train, *test), fitted, strict=True)):
        with VideoReader(paths[take.video]) as video:
            shots = itertools.islice(video, take.first, take.last)
            for (image, _), found, landmarks in zip(shots, faces, seen[number], strict=True):
                if found is not None and landmarks is not None:
                    errors.append(_error(basis, landmarks, found))
                    pictures.append(crop.image(image))
                    kept.append(crop.parameters(found))
                    take_of.append(number)
    shown = sum(number < len(train) for number in take_of)
    frames = np.stack(pictures)
    kept = align_poses(model, frames, kept, shown)
    renderer = CpuConditioning(model, size)
    conditionings = np.stack([renderer.render(one) for one in tqdm(kept, desc="drawing", unit="frame")])
    manifest = recipe | {
        "rate": rate,
        "crop": asdict(crop),
        "takes": [asdict(take) for take in (*train, *test)],
        "held_out_takes": list(range(len(train), len(train) + len(test))),
    }
    parameters = stack_parameters(kept, np.array(take_of))
    write_dataset(out, frames, conditionings, parameters, manifest)
    write_report(out, frames, conditionings, parameters, np.array(errors))


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


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FaceError(f"Cannot read the video {path}: {error.strerror}.") from None


def _made_by(folder: Path, recipe: dict[str, object]) -> bool:
    """Whether a folder holds the dataset that a recipe makes."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    return all(manifest.get(key) == value for key, value in recipe.items())


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
