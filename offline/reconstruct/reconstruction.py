"""Videos of a person to a dataset: crop, tracking, identity (Eq. 2), live fit, alignment, frames and conditionings.

    python -m offline.reconstruct OUT VIDEO [VIDEO …] [--held-out VIDEO] [--rate 25]

Several videos of one person share one identity. Once it is known, faces are followed just as the live loop follows them
(``face/follow_person.py``): a network that is trained on something better would not get it live. OUT gets
``manifest.json``, ``frames.npy``, ``conditioning.npy``, ``parameters.npz``, and images of how it went: ``moments.png``,
``curves.png``.
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

import numpy as np
from tqdm import tqdm

from face.camera_map import CameraMap
from face.conditioning import CpuConditioning
from face.errors import UserError
from face.files import check_output_folder, sha256
from face.fit_joint_identity import fit_identity
from face.fitting import FitSettings, LandmarkBasis, landmark_distance_px, landmarks_camera
from face.follow_person import LiveFit
from face.landmarks import Landmarks, inner_face
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.video import VideoReader
from offline.cli_errors import one_sentence
from offline.dataset.crop import Crop, choose_crop
from offline.dataset.dataset import Dataset
from offline.dataset.store import DatasetWriter, ImageFile, made_by, refuse_foreign, stack_parameters
from offline.options import options_of
from offline.reconstruct.camera_map_learning import learn_camera_map
from offline.reconstruct.checked_tracking import Track, resampled, track_video
from offline.reconstruct.options import ReconstructionOptions, add_options
from offline.reconstruct.pose_refinement import align_poses
from offline.reconstruct.report import write_report
from offline.reconstruct.teeth import place_teeth

FORMAT = 5  # of the recipe: another one when the same videos give another dataset
_SHORTEST_S = 3.0  # of all videos to train on together


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


def reconstruct(out: Path, options: ReconstructionOptions) -> None:
    """Write the dataset folder, whole or not at all; see the module's docstring.

    A dataset that was made from the same videos is left as it is, another one replaced.

    Raises:
        UserError: a video cannot be read or is not one face in one take, the videos are too short or differ in size,
            or the folder holds something else.
    """
    refuse_foreign(out)
    model = MorphableModel.load()
    paths = [*options.videos, *options.held_out]
    recipe = {
        "format": FORMAT,
        "model_hash": model.hash,
        "size": options.size,
        "rate": options.rate,
        "teeth": options.teeth,
        "videos": [{"name": p.name, "sha256": _hash_of_video(p)} for p in paths],
        "held_out_videos": len(options.held_out),
    }
    if made_by(out, recipe):
        print(f"{out} is up to date.")
        return
    stages = Stages()
    tracks = [track_video(path, options.rate) for path in paths]
    stages.done("tracking")
    _refuse_unfit(tracks, len(options.videos))
    train, test = split_takes(tracks, len(options.held_out))
    footage = Footage(paths, (*train, *test), tracks)
    errors = _write(out, model, footage, len(train), options, recipe, stages)
    dataset = Dataset(out, model)
    write_report(out, dataset.frames, dataset.conditionings, dataset.parameters, errors)
    stages.done("writing")
    print(f"{sum(track.seconds for track in tracks):.1f} s of video in {stages}")


def _write(
    out: Path, model: MorphableModel, footage: Footage, trained: int, options: ReconstructionOptions,
    recipe: dict[str, object], stages: Stages,
) -> np.ndarray:  # fmt: skip
    """Fit, align, render and write a dataset whose first ``trained`` takes are trained on; see ``follow``'s errors."""
    takes = np.repeat(np.arange(len(footage.takes)), [len(faces) for faces in footage.faces])
    count = int((takes < trained).sum())  # of the frames trained on
    crop = choose_crop(footage.all_faces[:count], options.size)
    # Decoding leaves Python to the fit.
    with DatasetWriter(out, len(takes), options.size) as dataset, ThreadPoolExecutor(1) as reader:
        cutting = reader.submit(footage.cut_out, crop, options.rate, dataset.frames)
        identity = fit_identity(LandmarkBasis(model), footage.all_faces[:count], FitSettings())
        fitted, errors = follow(model, footage, identity, crop, options.rate)
        cutting.result()
        stages.done("fitting and cutting")
        aligned = align_poses(model, dataset.frames.read(), fitted, count)
        stages.done("aligning")
        weights = learn_camera_map(model, fitted[:count], aligned[:count])
        camera_map = CameraMap(model, weights)
        faces = [camera_map.correct(face) for face in fitted]
        stages.done("mapping cameras")
        teeth = place_teeth(model, dataset.frames.read(), aligned[:count]) if options.teeth else None
        stages.done("placing teeth")
        renderer = CpuConditioning(model, options.size, teeth)
        for number, face in enumerate(tqdm(faces, desc="rendering", unit="frame")):
            dataset.conditionings[number] = renderer.render(face)
        stages.done("rendering")
        manifest = recipe | {
            "versions": {
                name: version(name) for name in ("head2head-live", "ai-edge-litert", "numpy", "opencv-python-headless")
            },
            "crop": asdict(crop),
            "takes": [asdict(take) for take in footage.takes],
            "held_out_takes": list(range(trained, len(footage.takes))),
        }
        dataset.finish(stack_parameters(faces, aligned, takes, weights, teeth), manifest)
    return errors


def _refuse_unfit(tracks: list[Track], trained: int) -> None:
    """Make sure that videos, of which the first ``shown`` are trained on, go together and suffice."""
    sizes = {(face.width, face.height) for track in tracks for face in track.landmarks if face is not None}
    if len(sizes) > 1:
        raise UserError("The videos differ in size: give videos of one camera setting.")
    seconds = sum(track.seconds for track in tracks[:trained])
    if seconds < _SHORTEST_S:
        raise UserError(f"The videos last {seconds:.1f} s: give {_SHORTEST_S:.0f} s at least, better some minutes.")


class Footage:
    """Takes of some videos, and the landmarks of every frame of them.

    Args:
        paths: the videos.
        takes: of them; the order of the dataset.
        tracks: what the tracker found in each video.

    Attributes:
        takes: as given.
        tracked: landmarks of each take's frames, ``None`` where there is no face.
    """

    def __init__(self, paths: list[Path], takes: tuple[Take, ...], tracks: list[Track]) -> None:
        self.takes, self._paths = takes, paths
        self.tracked = [tracks[take.video].landmarks[take.first : take.last] for take in takes]

    @property
    def faces(self) -> list[list[Landmarks]]:
        """Landmarks of each take's frames that show a face: those are kept."""
        return [[landmarks for landmarks in take if landmarks is not None] for take in self.tracked]

    @property
    def all_faces(self) -> list[Landmarks]:
        """The same of all takes."""
        return [landmarks for take in self.faces for landmarks in take]

    def cut_out(self, crop: Crop, rate: float, frames: ImageFile) -> None:
        """Cut the square with the face out of every frame that shows one, in the takes' order."""
        begins = np.cumsum([0, *(len(faces) for faces in self.faces)]).tolist()
        for video, path in enumerate(self._paths):
            with VideoReader(path) as opened:
                moments = resampled(opened, rate)
                of_video = [n for n, take in enumerate(self.takes) if take.video == video]
                for number in sorted(of_video, key=lambda n: self.takes[n].first):
                    length = len(self.tracked[number])
                    places = itertools.count(begins[number])
                    for moment, face in zip(itertools.islice(moments, length), self.tracked[number], strict=True):
                        if face is not None:
                            frames[next(places)] = crop.image(moment.image)


def follow(
    model: MorphableModel, footage: Footage, identity: np.ndarray, crop: Crop, rate: float
) -> tuple[list[FaceParameters], np.ndarray]:
    """The live fit of every frame that shows a face, in the crop's px, and its ``_error`` ``[F]``."""
    basis = LandmarkBasis(model)
    faces, errors = [], []
    for take in footage.tracked:
        fit = LiveFit(model, identity)
        for number, landmarks in enumerate(take):
            face = fit.step(landmarks, number / rate)
            if landmarks is not None and face is not None:
                faces.append(crop.parameters(face))
                errors.append(_error(basis, landmarks, face))
    return faces, np.array(errors)


def _error(basis: LandmarkBasis, landmarks: Landmarks, face: FaceParameters) -> float:
    """Mean reprojection error of the inner face over the inter-ocular distance, by the landmarks' own camera."""
    camera = landmarks_camera(basis, face.camera, FitSettings())
    distance_px = landmark_distance_px(basis, landmarks, camera, face.identity, face.expression, inner_face())
    return distance_px / landmarks.interocular_px


def _hash_of_video(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"Cannot read the video {path}: {error.strerror}.") from None


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.reconstruct", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out", type=Path, help="folder for the dataset")
    add_options(parser)
    arguments = parser.parse_args()
    check_output_folder(arguments.out)
    reconstruct(arguments.out, options_of(ReconstructionOptions, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
