"""How close a target comes to the truth on the takes that training never saw.

    python -m offline.evaluate DATASET --target FILE.onnx [--report DIR]
    python -m offline.evaluate --source VIDEO [--source VIDEO …] --target FILE.onnx [--report DIR]

Prints the scores of ``offline/dataset/pixel_error.py`` and ``offline/evaluate/face_metrics.py`` and, where weights are
at hand, of ``lpips.py`` and ``identity.py``. The network is driven as it is live: by the per-frame fit of the held-out
frames. Beside that stands the score with the cameras of ``offline/reconstruct/pose_refinement.py``. Those are moved
until they agree with the very pixels that are to be generated: they show how much a better pose would gain.

DIR gets ``scores.json``, ``scores.txt``, ``sheet.png`` (conditioning, output, truth) and ``heat.png`` (mean distance of
each pixel, dark to bright). For other people's videos there is no truth: ``driven.json`` says how far the target does
what its conditioning says, how far its background differs from its median over time (gray levels), and in how many
frames that is more than 12.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.camera_map import CameraMap
from face.conditioning import CpuConditioning
from face.errors import UserError
from face.files import check_output_folder, sha256
from face.follow_person import LiveFit
from face.landmarks import Landmarks
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from face.parameters import FaceParameters
from face.target import TargetInfo, read_info
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.dataset.pixel_error import score_images
from offline.evaluate.driven import evaluate_driven
from offline.evaluate.face_metrics import score_faces, watch
from offline.evaluate.options import EvaluationOptions, MetricNetworks, add_options
from offline.evaluate.report import contact_sheet, heat_map, write_json, write_text
from offline.image_file import write_image
from offline.options import options_of
from offline.rollout import onnx_network, roll_out

_ALIGNED = "aligned_"  # what names of scores with aligned cameras begin with
_SHORTEST = 3  # frames of a take that shows motion


@dataclass(frozen=True)
class _Take:
    """A held-out take.

    Attributes:
        outputs, truth: images ``[T, H, W, 3]`` uint8.
        conditionings: ``[T, H, W, 6]`` uint8, of the live fit.
        landmarks, true_landmarks: of the face in either.
    """

    outputs: np.ndarray
    truth: np.ndarray
    conditionings: np.ndarray
    landmarks: list[Landmarks | None]
    true_landmarks: list[Landmarks | None]


def evaluate(
    model: MorphableModel, dataset: Dataset, target: Path, report: Path | None, networks: MetricNetworks | None = None
) -> dict[str, float]:
    """Scores of a target on the held-out takes, printed, and written with images to a folder if given.

    Names that begin with ``aligned_`` are of the aligned cameras, all others of the live fit. Both are compared with
    the truth at the same places. Takes count by their frames; those too short to show motion are left out. A report
    that is up to date is only printed.

    Raises:
        UserError: nothing is held out, or the file is no target for this model.
    """
    networks = networks or MetricNetworks()
    info = read_info(target, model.hash)
    ranges = [(first, last) for first, last in dataset.test if last - first >= _SHORTEST]
    if not ranges:
        raise UserError("The dataset holds nothing out: reconstruct it with --held-out VIDEO.")
    recipe: dict[str, object] = {
        "target": sha256(target), "dataset": dataset.fingerprint,
        "lpips": networks.lpips.name if networks.lpips else None,
        "recognizer": networks.recognizer.hash if networks.recognizer else None,
    }  # fmt: skip
    known = _known(report / "scores.json", recipe) if report else None
    if known is not None:
        print(f"{report} is up to date.\n{_table(info, ranges, known)}")
        return known
    scores: dict[str, float] = {}
    takes: list[_Take] = []
    for first, last in tqdm(ranges, desc="evaluating", unit="take"):
        take, of_take = _score(model, dataset, target, info, (first, last))
        takes.append(take)
        share = (last - first) / sum(b - a for a, b in ranges)
        for name, value in (of_take | _score_by_networks(networks, take)).items():
            scores[name] = scores.get(name, 0.0) + share * value
    table = _table(info, ranges, scores)
    print(table)
    if report:
        _write_images(report, takes)
        write_text(report / "scores.txt", table)
        write_json(report / "scores.json", scores | {"of": recipe})  # last: it says that the report is whole
    return scores


def _score(
    model: MorphableModel, dataset: Dataset, target: Path, info: TargetInfo, span: tuple[int, int]
) -> tuple[_Take, dict[str, float]]:
    """A held-out take, rolled out with both kinds of cameras, and its scores."""
    network, rate = onnx_network(target), float(dataset.manifest["rate"])
    renderer = CpuConditioning(model, info.size, TeethPlacement.of(info.teeth))
    first, last = span
    truth = np.asarray(dataset.frames[first:last])
    true_landmarks = watch(truth, rate)
    live, aligned = (
        np.stack([renderer.render(face) for face in faces])
        for faces in (
            live_faces(model, info, true_landmarks, rate), [dataset.aligned_face(k) for k in range(first, last)]
        )
    )  # fmt: skip
    scores: dict[str, float] = {}
    for prefix, conditionings in ((_ALIGNED, aligned), ("", live)):
        outputs = np.stack(list(roll_out(network, conditionings)))
        of_images = score_images(outputs, truth, aligned, dataset.mouths[first:last])
        scores |= {f"{prefix}{name}": value for name, value in asdict(of_images).items()}
    take = _Take(outputs, truth, live, watch(outputs, rate), true_landmarks)
    scores |= asdict(score_faces(model, np.array(info.identity), take.landmarks, true_landmarks))
    return take, scores


def _write_images(report: Path, takes: list[_Take]) -> None:
    """``sheet.png`` and ``heat.png`` of all takes."""
    outputs, truth, conditionings = (
        np.concatenate([getattr(take, name) for take in takes]) for name in ("outputs", "truth", "conditionings")
    )
    report.mkdir(parents=True, exist_ok=True)
    images = {"sheet.png": contact_sheet(outputs, truth, conditionings), "heat.png": heat_map(outputs, truth)}
    for name, image in images.items():
        write_image(report / name, image)


def live_faces(
    model: MorphableModel, info: TargetInfo, tracked: list[Landmarks | None], rate: float
) -> list[FaceParameters]:
    """What the live loop would draw of the target person, seen in frames of the target's size, placed as filmed.

    Where no face is seen, the last one stays.
    """
    fit, camera_map = LiveFit(model, np.array(info.identity)), CameraMap(model, np.array(info.camera_map))
    faces = [info.resting()]
    for number, landmarks in enumerate(tracked):
        faces.append(fit.step(landmarks, number / rate, camera_map) or faces[-1])
    return faces[1:]


def _score_by_networks(networks: MetricNetworks, take: _Take) -> dict[str, float]:
    """Scores by networks that others trained."""
    scores = {}
    if networks.lpips:
        pairs = zip(take.outputs, take.truth, strict=True)
        scores[networks.lpips.name] = float(np.mean([networks.lpips.distance(a, b) for a, b in pairs]))
    recognizer = networks.recognizer
    if recognizer:
        faces = zip(take.truth, take.true_landmarks, strict=True)
        reference = np.mean([recognizer.embedding(image, face) for image, face in faces if face], axis=0)
        reference /= np.linalg.norm(reference)
        scores["identity"] = recognizer.similarity(take.outputs, take.landmarks, reference)
        scores["identity_of_truth"] = recognizer.similarity(take.truth, take.true_landmarks, reference)
    return scores


def _table(info: TargetInfo, takes: list[tuple[int, int]], scores: dict[str, float]) -> str:
    rows = [
        f"{info.title}, {sum(b - a for a, b in takes)} frames never trained on",
        f"{'':<18}{'live fit':>9}{'aligned':>9}",
    ]
    for name, value in scores.items():
        if not name.startswith(_ALIGNED):
            aligned = scores.get(f"{_ALIGNED}{name}")
            rows.append(f"{name:<18}{value:>9.3f}" + (f"{aligned:>9.3f}" if aligned is not None else ""))
    return "\n".join(rows)


def _known(path: Path, recipe: dict[str, object]) -> dict[str, float] | None:
    """The scores in a report, if they are of the same files."""
    try:
        scores = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return scores if scores.pop("of", None) == recipe else None


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, nargs="?", help="folder written by offline.reconstruct, with a held-out "
                                                              "video")  # fmt: skip
    parser.add_argument("--source", type=Path, action="append", metavar="VIDEO", help="drive with this instead")
    parser.add_argument("--target", type=Path, required=True, help="target file (.onnx)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write scores and images to this folder")
    parser.add_argument("--perceptual-weights", type=Path, metavar="NPZ", help="VGG16 trunk (default: fetched)")
    add_options(parser)
    arguments = parser.parse_args()
    if (arguments.dataset is None) == (arguments.source is None):
        parser.error("give a dataset, or videos with --source")
    if arguments.report:
        check_output_folder(arguments.report)
    model = MorphableModel.load()
    networks = options_of(EvaluationOptions, arguments).load()
    if arguments.source:
        evaluate_driven(model, arguments.target, arguments.source, arguments.report, networks.recognizer)
        return 0
    evaluate(model, Dataset(arguments.dataset, model), arguments.target, arguments.report, networks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
