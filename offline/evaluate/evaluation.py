"""How close a target comes to the truth on the takes that training never saw.

    python -m offline.evaluate DATASET --target FILE.onnx [--report DIR]
    python -m offline.evaluate --source VIDEO [--source VIDEO …] --target FILE.onnx [--report DIR]

Prints the scores of ``offline/dataset/pixel_error.py`` and ``offline/evaluate/face_metrics.py`` and, where weights are
at hand, of ``lpips.py`` and ``identity.py``. The network is driven as it is live: by the per-frame fit of the held-out
frames. Beside that stands the score with the cameras of ``offline/reconstruct/pose_refinement.py``. Those are moved
until they agree with the very pixels that are to be generated: they show how much a better pose would gain.

DIR gets ``scores.json``, ``scores.txt``, ``sheet.png`` (conditioning, output, truth) and ``heat.png`` (mean distance of
each pixel, dark to bright). For other people's videos there is no truth: ``driven.json`` says how far the target does
what its conditioning says.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face.camera_map import CameraMap
from face.conditioning import CpuConditioning
from face.drawing import draw_conditioning
from face.errors import UserError
from face.files import sha256, write_whole
from face.landmarks import Landmarks
from face.live_fit import LiveFit
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.retarget import Mode
from face.target import TargetInfo, read_info
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.dataset.pixel_error import distances, score_pictures
from offline.evaluate.face_metrics import score_driven, score_faces, watch
from offline.evaluate.identity import Recogniser
from offline.evaluate.lpips import Lpips, load_lpips
from offline.reenact import reenact
from offline.rollout import onnx_network, roll_out

_ALIGNED = "aligned_"  # what names of scores with aligned cameras begin with
_COLUMNS = 6
_RATE = 25.0  # pictures a second that the tracker is told
_SHORTEST = 3  # frames of a take that shows motion
_BRIGHTEST = 40.0  # distance shown as the brightest colour of the heat map


def contact_sheet(pictures: np.ndarray, truth: np.ndarray, conditionings: np.ndarray) -> np.ndarray:
    """Rows of conditionings, outputs and truth at moments spread over the video, ``[h, w, 3]`` uint8 RGB."""
    chosen = np.linspace(0, len(pictures) - 1, _COLUMNS + 2).astype(int)[1:-1]
    columns = [np.vstack([draw_conditioning(conditionings[k]), pictures[k], truth[k]]) for k in chosen]
    return np.hstack(columns)


def heat_map(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean distance of each pixel as a colour, ``[H, W, 3]`` uint8 RGB."""
    share = distances(pictures, truth).mean(0) / _BRIGHTEST
    coloured = cv2.applyColorMap((np.clip(share, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Judges:
    """Networks that others trained, where they are at hand."""

    lpips: Lpips | None = None
    recogniser: Recogniser | None = None


@dataclass(frozen=True)
class _Shown:
    """A held-out take: pictures and truth ``[T, H, W, 3]``, conditionings, and the faces seen in both."""

    pictures: np.ndarray
    truth: np.ndarray
    conditionings: np.ndarray
    seen: list[Landmarks | None]
    wanted: list[Landmarks | None]


def evaluate(
    model: MorphableModel, dataset: Dataset, target: Path, report: Path | None, judges: Judges | None = None
) -> dict[str, float]:
    """Scores of a target on the held-out takes, printed, and written with pictures to a folder if given.

    Names that begin with ``aligned_`` are of the aligned cameras, all others of the live fit. Both are compared with
    the truth at the same places. Takes count by their frames; those too short to show motion are left out. A report
    that is up to date is only printed.

    Raises:
        UserError: nothing is held out, or the file is no target for this model.
    """
    judges = judges or Judges()
    info = read_info(target, model.hash)
    takes = [(first, last) for first, last in dataset.test if last - first >= _SHORTEST]
    if not takes:
        raise UserError("The dataset holds nothing out: reconstruct it with --held-out VIDEO.")
    asked: dict[str, object] = {
        "target": sha256(target), "dataset": dataset.fingerprint,
        "lpips": judges.lpips.name if judges.lpips else None,
        "recogniser": judges.recogniser.hash if judges.recogniser else None,
    }  # fmt: skip
    known = _known(report / "scores.json", asked) if report else None
    if known is not None:
        print(f"{report} is up to date.\n{_table(info, takes, known)}")
        return known
    network = onnx_network(target)
    renderer = CpuConditioning(model, info.size)
    rate = float(dataset.manifest["rate"])
    scores: dict[str, float] = {}
    shown: list[_Shown] = []
    for first, last in tqdm(takes, desc="evaluating", unit="take"):
        truth, mouths = np.asarray(dataset.frames[first:last]), dataset.mouths[first:last]
        wanted = watch(truth, rate)
        told = {
            "": np.stack([renderer.render(face) for face in live_faces(model, info, wanted, rate)]),
            _ALIGNED: np.stack([renderer.render(dataset.aligned_face(k)) for k in range(first, last)]),
        }
        painted = {way: np.stack(list(roll_out(network, conditionings))) for way, conditionings in told.items()}
        one = _Shown(painted[""], truth, told[""], watch(painted[""], rate), wanted)
        shown.append(one)
        found: dict[str, float] = {
            f"{way}{name}": value
            for way, pictures in painted.items()
            for name, value in asdict(score_pictures(pictures, truth, told[_ALIGNED], mouths)).items()
        }
        found |= asdict(score_faces(model, np.array(info.identity), one.seen, one.wanted))
        found |= _judged(judges, one)
        share = (last - first) / sum(b - a for a, b in takes)
        scores = {name: scores.get(name, 0.0) + share * value for name, value in found.items()}
    table = _table(info, takes, scores)
    print(table)
    if report:
        pictures, truth, conditionings = (
            np.concatenate([getattr(one, name) for one in shown]) for name in ("pictures", "truth", "conditionings")
        )
        report.mkdir(parents=True, exist_ok=True)
        for file, picture in (
            ("sheet.png", contact_sheet(pictures, truth, conditionings)), ("heat.png", heat_map(pictures, truth))
        ):  # fmt: skip
            cv2.imwrite(str(report / file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        (report / "scores.txt").write_text(table + "\n")
        write_json(report / "scores.json", scores | {"of": asked})  # last: it says that the report is whole
    return scores


def live_faces(
    model: MorphableModel, info: TargetInfo, seen: list[Landmarks | None], rate: float
) -> list[FaceParameters]:
    """What the live loop would draw of the target person, seen in frames of the target's size, placed as filmed.

    Where no face is seen, the last one stays.
    """
    fit, camera_map = LiveFit(model, np.array(info.identity)), CameraMap(model, np.array(info.camera_map))
    faces = [info.resting()]
    for number, one in enumerate(seen):
        faces.append(fit.step(one, number / rate, camera_map) or faces[-1])
    return faces[1:]


def _judged(judges: Judges, shown: _Shown) -> dict[str, float]:
    """Scores by networks that others trained."""
    found = {}
    if judges.lpips:
        pairs = zip(shown.pictures, shown.truth, strict=True)
        found[judges.lpips.name] = float(np.mean([judges.lpips.distance(a, b) for a, b in pairs]))
    if judges.recogniser:
        known = [judges.recogniser.embedding(p, one) for p, one in zip(shown.truth, shown.wanted, strict=True) if one]
        reference = np.mean(known, axis=0)
        reference /= np.linalg.norm(reference)
        found["identity"] = judges.recogniser.similarity(shown.pictures, shown.seen, reference)
        found["identity_of_truth"] = judges.recogniser.similarity(shown.truth, shown.wanted, reference)
    return found


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


def _known(path: Path, asked: dict[str, object]) -> dict[str, float] | None:
    """The scores in a report, if it answers what is asked."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if found.pop("of", None) == asked else None


def evaluate_driven(
    model: MorphableModel, target: Path, sources: list[Path], report: Path | None, recogniser: Recogniser | None = None
) -> dict[str, dict[str, float]]:
    """Scores of a target driven by each of some videos, printed, and written to a folder if given.

    Raises:
        UserError: a video cannot be read, or the file is no target for this model.
    """
    info = read_info(target, model.hash)
    likeness = _portrayed(info, recogniser) if recogniser else None
    scores: dict[str, dict[str, float]] = {}
    for source in sources:
        driven = list(reenact(model, target, info, source, Mode.HEAD))
        pictures = np.stack([frame.output for frame in driven])
        seen = watch(pictures, _RATE)
        drawn = [frame.source.parameters for frame in driven]
        scores[source.name] = asdict(score_driven(model, np.array(info.identity), seen, drawn))
        if recogniser and likeness is not None:
            scores[source.name]["identity"] = recogniser.similarity(pictures, seen, likeness)
    names = list(next(iter(scores.values())))
    rows = [f"{'driven by':<24}" + "".join(f"{name:>10}" for name in names)]
    rows += [f"{video:<24}" + "".join(f"{row[name]:>10.3f}" for name in names) for video, row in scores.items()]
    print("\n".join(rows))
    if report:
        report.mkdir(parents=True, exist_ok=True)
        (report / "driven.txt").write_text("\n".join(rows) + "\n")
        write_json(report / "driven.json", scores)
    return scores


def _portrayed(info: TargetInfo, recogniser: Recogniser) -> np.ndarray | None:
    """The embedding of the face on a target's picture; ``None`` if none is seen."""
    portrait = read_portrait(info)
    (face,) = watch(portrait[None], _RATE)
    return None if face is None else recogniser.embedding(portrait, face)


def read_portrait(info: TargetInfo) -> np.ndarray:
    """The picture of the person that a target carries, ``[H, W, 3]`` uint8 RGB."""
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(info.portrait), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def write_json(path: Path, content: object) -> None:
    """Write a file, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Weights that some scores want, besides ``--perceptual-weights``."""
    parser.add_argument("--lpips-heads", type=Path, metavar="FILE", help="LPIPS' heads for VGG (default: those of the "
                                                                        "package lpips, if installed)")  # fmt: skip
    parser.add_argument("--identity-weights", type=Path, metavar="ONNX", help="a face recogniser (ArcFace's crops): "
                                                                             "is it the same person?")  # fmt: skip


def judges_of(arguments: argparse.Namespace) -> Judges:
    """The judges that the command line's weights make.

    Raises:
        UserError: a file does not hold what it should.
    """
    recogniser = Recogniser(arguments.identity_weights) if arguments.identity_weights else None
    return Judges(load_lpips(arguments.perceptual_weights, arguments.lpips_heads), recogniser)


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, nargs="?", help="folder written by offline.reconstruct, with a held-out "
                                                              "video")  # fmt: skip
    parser.add_argument("--source", type=Path, action="append", metavar="VIDEO", help="drive with this instead")
    parser.add_argument("--target", type=Path, required=True, help="target file (.onnx)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write scores and pictures to this folder")
    parser.add_argument("--perceptual-weights", type=Path, metavar="NPZ", help="VGG16 trunk (default: fetched)")
    add_options(parser)
    arguments = parser.parse_args()
    if (arguments.dataset is None) == (arguments.source is None):
        parser.error("give a dataset, or videos with --source")
    model = MorphableModel.load()
    judges = judges_of(arguments)
    if arguments.source:
        evaluate_driven(model, arguments.target, arguments.source, arguments.report, judges.recogniser)
        return 0
    evaluate(model, Dataset(arguments.dataset, model), arguments.target, arguments.report, judges)
    return 0


if __name__ == "__main__":
    sys.exit(main())
