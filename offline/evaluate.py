"""How close a target comes to the truth on the takes that training never saw.

    python -m offline.evaluate DATASET --target FILE.onnx [--report DIR]
    python -m offline.evaluate --source VIDEO [--source VIDEO …] --target FILE.onnx [--report DIR]

Prints the scores of ``offline/metrics.py``. DIR gets them as ``scores.json``, ``sheet.png`` (conditioning, output,
truth) and ``heat.png`` (mean distance of each pixel, dark to bright). Driven by other people's videos there is no
truth: then it is how far the target does what it is told, in ``driven.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from face.drawing import draw_conditioning
from face.errors import FaceError
from face.morphable import MorphableModel
from face.retarget import Mode
from face.target import read_info
from offline.command import one_sentence
from offline.dataset import Dataset
from offline.export import roll_out
from offline.metrics import distances, score_driven, score_faces, score_pictures, watch
from offline.reenact import reenact

_COLUMNS = 6
_RATE = 25.0  # pictures a second that the tracker is told
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


def evaluate(model: MorphableModel, dataset: Dataset, target: Path, report: Path | None) -> dict[str, float]:
    """Scores of a target on the first held-out take, printed, and written with pictures to a folder if given.

    Raises:
        FaceError: nothing is held out, or the file is no target for this model.
    """
    info = read_info(target, model.hash)
    if not dataset.test:
        raise FaceError("The dataset holds nothing out: reconstruct it with --held-out VIDEO.")
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    first, last = dataset.test[0]
    conditionings, truth = np.asarray(dataset.conditionings[first:last]), np.asarray(dataset.frames[first:last])
    pictures = np.stack(list(roll_out(session, conditionings)))
    rate = float(dataset.manifest["rate"])
    scores: dict[str, float] = asdict(score_pictures(pictures, truth, conditionings, dataset.mouths[first:last]))
    scores |= asdict(score_faces(model, np.array(info.identity), watch(pictures, rate), watch(truth, rate)))
    print(f"{info.title}, {last - first} frames never trained on")
    for name, value in scores.items():
        print(f"{name:<18}{value:>8.3f}")
    if report:
        report.mkdir(parents=True, exist_ok=True)
        (report / "scores.json").write_text(json.dumps(scores, indent=1))
        sheet = contact_sheet(pictures, truth, conditionings)
        for file, picture in (("sheet.png", sheet), ("heat.png", heat_map(pictures, truth))):
            cv2.imwrite(str(report / file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return scores


def evaluate_driven(
    model: MorphableModel, target: Path, sources: list[Path], report: Path | None
) -> dict[str, dict[str, float]]:
    """Scores of a target driven by each of some videos, printed, and written to a folder if given.

    Raises:
        FaceError: a video cannot be read, or the file is no target for this model.
    """
    info = read_info(target, model.hash)
    scores: dict[str, dict[str, float]] = {}
    for source in sources:
        moments = list(reenact(model, target, info, source, Mode.HEAD))
        seen = watch(np.stack([moment.output for moment in moments]), _RATE)
        drawn = [moment.drawn for moment in moments]
        scores[source.name] = asdict(score_driven(model, np.array(info.identity), seen, drawn))
    names = list(next(iter(scores.values())))
    print(f"{'driven by':<24}" + "".join(f"{name:>10}" for name in names))
    for video, row in scores.items():
        print(f"{video:<24}" + "".join(f"{row[name]:>10.3f}" for name in names))
    if report:
        report.mkdir(parents=True, exist_ok=True)
        (report / "driven.json").write_text(json.dumps(scores, indent=1))
    return scores


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
    arguments = parser.parse_args()
    if (arguments.dataset is None) == (arguments.source is None):
        parser.error("give a dataset, or videos with --source")
    model = MorphableModel.load()
    if arguments.source:
        evaluate_driven(model, arguments.target, arguments.source, arguments.report)
        return 0
    evaluate(model, Dataset(arguments.dataset, model), arguments.target, arguments.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
