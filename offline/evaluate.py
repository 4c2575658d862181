"""How close a target comes to the truth on the takes that training never saw.

    python -m offline.evaluate DATASET --target FILE.onnx [--sheet OUT.png]

Distances are of RGB in 0…255, each pixel's Euclidean: over the picture (APD), inside the NMFC, and in the 72-px box
about the mouth (at 256 px), as the paper has them. Motion: mean change from frame to frame, over the truth's.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from face.drawing import draw_conditioning
from face.errors import FaceError
from face.morphable import MorphableModel
from face.target import read_info
from offline.command import one_sentence
from offline.dataset import MOUTH_BOX, Dataset
from offline.export import roll_out

_COLUMNS = 6


@dataclass(frozen=True)
class Scores:
    """Distances in 0…255 and the ratio of motion; see the module's docstring."""

    apd: float
    masked_apd: float
    mouth_apd: float
    motion: float


def score(
    pictures: np.ndarray,  # [T, H, W, 3] uint8
    truth: np.ndarray,  # [T, H, W, 3] uint8
    conditionings: np.ndarray,  # [T, H, W, 6] uint8
    mouths: np.ndarray,  # [T, 2] px
) -> Scores:
    """Compare a roll-out with the truth."""
    distance = np.linalg.norm(pictures.astype(np.float32) - truth, axis=-1)
    side = round(MOUTH_BOX * truth.shape[1])
    corner = np.clip(np.round(mouths - side / 2), 0, truth.shape[1] - side).astype(int)
    boxes = [d[y : y + side, x : x + side] for d, (x, y) in zip(distance, corner, strict=True)]
    change = [np.abs(np.diff(v.astype(np.float32), axis=0)).mean() for v in (pictures, truth)]
    return Scores(
        float(distance.mean()),
        float(distance[conditionings[..., :3].any(-1)].mean()),
        float(np.mean(boxes)),
        float(change[0] / change[1]),
    )


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, help="folder written by offline.reconstruct, with a held-out video")
    parser.add_argument("--target", type=Path, required=True, help="target file (.onnx)")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet: conditioning, output, truth")
    arguments = parser.parse_args()
    model = MorphableModel.load()
    dataset = Dataset(arguments.dataset, model)
    info = read_info(arguments.target, model.hash)
    if not dataset.test:
        raise FaceError(f"{arguments.dataset} holds nothing out: reconstruct it with --held-out VIDEO.")
    session = ort.InferenceSession(str(arguments.target), providers=["CPUExecutionProvider"])
    first, last = dataset.test[0]
    conditionings, truth = dataset.conditionings[first:last], dataset.frames[first:last]
    pictures = np.stack(list(roll_out(session, conditionings)))
    print(f"{info.title}, {last - first} frames never trained on")
    for name, value in asdict(score(pictures, truth, conditionings, dataset.mouths[first:last])).items():
        print(f"{name:<12}{value:>8.2f}")
    if arguments.sheet:
        chosen = np.linspace(0, last - first - 1, _COLUMNS + 2).astype(int)[1:-1]
        columns = [np.vstack([draw_conditioning(conditionings[k]), pictures[k], truth[k]]) for k in chosen]
        cv2.imwrite(str(arguments.sheet), cv2.cvtColor(np.hstack(columns), cv2.COLOR_RGB2BGR))
    return 0


if __name__ == "__main__":
    sys.exit(main())
