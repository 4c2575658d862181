"""A large network's pictures as a dataset, from which a small one learns what the large one knows.

    python -m offline.distill DATASET --teacher FILE.onnx --out DATASET2 [--driver VIDEO …]
    python -m offline.learn DATASET2 --run RUN --profile compact

The teacher paints the training takes anew, and the motion of any number of drivers besides: what it is never short of.
Held-out takes keep the camera's pictures, so that the student is tested on the truth.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tqdm import tqdm

from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.retarget import Mode
from face.target import read_info
from offline.command import one_sentence
from offline.dataset import Dataset, refuse_foreign, stack_parameters, write_dataset
from offline.export import roll_out
from offline.reenact import reenact


def distill(model: MorphableModel, dataset: Dataset, teacher: Path, drivers: list[Path], out: Path) -> None:
    """Write the teacher's dataset.

    Raises:
        FaceError: the teacher is no target for this model, a driver cannot be read, or the folder holds something
            else.
    """
    refuse_foreign(out)
    info = read_info(teacher, model.hash)
    session = ort.InferenceSession(str(teacher), providers=["CPUExecutionProvider"])
    painted, conditionings = np.array(dataset.frames), [np.asarray(dataset.conditionings)]
    faces: list[FaceParameters] = [dataset.face(k) for k in range(len(dataset.frames))]
    takes = [int(take) for take in dataset.parameters["take"]]
    for first, last in tqdm(dataset.train, desc="painting", unit="take"):
        painted[first:last] = list(roll_out(session, conditionings[0][first:last]))
    frames = [painted]
    for number, driver in enumerate(drivers):
        moments = list(reenact(model, teacher, info, driver, Mode.HEAD))
        frames.append(np.stack([one.output for one in moments]))
        conditionings.append(np.stack([one.conditioning for one in moments]))
        faces += [one.drawn for one in moments]
        takes += [max(dataset.parameters["take"]) + 1 + number] * len(moments)
    manifest = dataset.manifest | {"teacher": info.name, "drivers": [driver.name for driver in drivers]}
    parameters = stack_parameters(faces, np.array(takes))
    write_dataset(out, np.concatenate(frames), np.concatenate(conditionings), parameters, manifest)


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.distill", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, help="folder written by offline.reconstruct")
    parser.add_argument("--teacher", type=Path, required=True, help="target file (.onnx) of the same person")
    parser.add_argument("--out", type=Path, required=True, help="folder for the teacher's dataset")
    parser.add_argument("--driver", type=Path, action="append", default=[], help="video whose motion is added")
    arguments = parser.parse_args()
    model = MorphableModel.load()
    distill(model, Dataset(arguments.dataset, model), arguments.teacher, arguments.driver, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
