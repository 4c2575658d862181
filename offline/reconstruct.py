"""Videos of a person to a dataset: crop, tracking, batch fit (Eq. 2), alignment, frames and conditionings.

    python -m offline.reconstruct OUT VIDEO [VIDEO …] [--held-out VIDEO]

Several videos of one person are takes that share one identity. OUT gets ``manifest.json``, ``frames.npy``,
``conditioning.npy`` and ``parameters.npz``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
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
from face.landmarks import Landmarks
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.tracking import FaceTracker
from face.video import VideoReader
from offline.align import align_poses
from offline.command import one_sentence

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


def track_video(path: Path) -> list[Landmarks | None]:
    """Landmarks of every frame of a video."""
    with VideoReader(path) as video, FaceTracker() as tracker:
        frames = tqdm(video, total=video.frames or None, desc=f"tracking {path.name}", unit="frame", leave=False)
        return [tracker.track(image, round(time_s * 1000)) for image, time_s in frames]


def reconstruct(out: Path, takes: list[Path], held_out: list[Path], size: int = 256) -> None:
    """Write the dataset folder, whole or not at all; see the module's docstring. A dataset that is there is replaced.

    Raises:
        FaceError: a video cannot be read, sizes differ, a take shows no face, or the folder holds something else.
    """
    if out.exists() and not (out / "manifest.json").exists() and any(out.iterdir()):
        raise FaceError(f"{out} holds something that is not a dataset: give another folder.")
    model = MorphableModel.load()
    paths = [*takes, *held_out]
    tracked = [track_video(path) for path in paths]
    for path, landmarks in zip(paths, tracked, strict=True):
        if not any(landmarks):
            raise FaceError(f"No face was found in {path}: give a video that shows one face.")
    faces = [one for landmarks in tracked for one in landmarks if one is not None]
    if len({(one.width, one.height) for one in faces}) > 1:
        raise FaceError("The takes differ in size: give videos of one camera setting.")
    trained = sum(len(landmarks) for landmarks in tracked[: len(takes)])
    cuts = np.cumsum([len(landmarks) for landmarks in tracked])[:-1].tolist()
    flat = [one for landmarks in tracked for one in landmarks]
    crop = choose_crop([one for one in flat[:trained] if one is not None], size)
    fitted = fit_video(model, flat[:trained], cuts=[c for c in cuts if c < trained])
    identity = next(one.identity for one in fitted if one is not None)
    later = [c - trained for c in cuts if c > trained]
    fitted += fit_video(model, flat[trained:], cuts=later, identity=identity)

    frames, kept, take_of = [], [], []
    number = 0
    for take, path in enumerate(paths):
        with VideoReader(path) as video:
            for image, _ in video:
                found = fitted[number]
                number += 1
                if found is not None:
                    frames.append(crop.image(image))
                    kept.append(crop.parameters(found))
                    take_of.append(take)
    shown = sum(take < len(takes) for take in take_of)
    pictures = np.stack(frames)
    kept = align_poses(model, pictures, kept, shown)
    renderer = CpuConditioning(model, size)
    conditionings = [renderer.render(one) for one in tqdm(kept, desc="drawing", unit="frame")]
    partial = out.with_name(f"{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
    partial.mkdir(parents=True)
    np.save(partial / "frames.npy", pictures)
    np.save(partial / "conditioning.npy", np.stack(conditionings))
    np.savez_compressed(
        partial / "parameters.npz",
        take=np.array(take_of),
        identity=identity,
        expression=np.stack([p.expression for p in kept]),
        rotation=np.stack([p.camera.rotation for p in kept]),
        scale=np.array([p.camera.scale for p in kept]),
        translation=np.stack([p.camera.translation for p in kept]),
        gaze=np.stack([p.gaze for p in kept]),
    )
    with VideoReader(paths[0]) as video:
        rate = video.rate
    manifest = {
        "format": 1,
        "model_hash": model.hash,
        "rate": rate,
        "crop": asdict(crop),
        "videos": [{"name": p.name, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in paths],
        "held_out_takes": list(range(len(takes), len(paths))),
    }
    (partial / "manifest.json").write_text(json.dumps(manifest, indent=1))
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.reconstruct", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out", type=Path, help="folder for the dataset")
    parser.add_argument("takes", type=Path, nargs="+", metavar="VIDEO", help="videos to train on")
    parser.add_argument("--held-out", type=Path, action="append", default=[], help="video to test on, never trained on")
    parser.add_argument("--size", type=int, default=256, help="height and width of the crop in px (default 256)")
    arguments = parser.parse_args()
    reconstruct(arguments.out, arguments.takes, arguments.held_out, arguments.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
