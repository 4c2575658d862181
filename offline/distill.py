"""A small network that has learned from a large one: the target that runs on a CPU.

    python -m offline.distill DATASET --teacher FILE.onnx --name NAME [--profile compact] [--driver VIDEO …] [--out DIR]

The teacher, a target of the same person, generates the training takes anew, and the motion of any number of drivers
besides: what it is never short of (DIR/dataset). The student learns from these images (DIR/run), is exported and
evaluated. Held-out takes keep the camera's images, so that the student is tested on the truth.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.files import sha256
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from face.parameters import FaceParameters
from face.retarget import Mode
from face.target import read_info
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.dataset.store import made_by, refuse_foreign, stack_parameters, write_dataset
from offline.reenact import reenact
from offline.rollout import onnx_network, roll_out
from offline.train import TargetOptions, add_options, make_target
from offline.training.distributed import Ranks


def write_teacher_dataset(
    model: MorphableModel, dataset: Dataset, teacher: Path, drivers: list[Path], out: Path
) -> None:
    """Write the teacher's dataset; one that is up to date is left as it is.

    Raises:
        UserError: the teacher is no target for this model or of another image size, a driver cannot be read, or
            the folder holds something else.
    """
    refuse_foreign(out)
    info = read_info(teacher, model.hash)
    if info.size != dataset.frames.shape[1]:
        raise UserError(f"{teacher} generates {info.size} px, the dataset has {dataset.frames.shape[1]}: reconstruct it"
                        f" with --size {info.size}.")  # fmt: skip
    recipe: dict[str, object] = {
        "teacher": sha256(teacher),
        "taught_from": dataset.fingerprint,
        "drivers": [str(driver) for driver in drivers],
    }
    if made_by(out, recipe):
        print(f"{out} is up to date.")
        return
    network = onnx_network(teacher)
    faces: list[FaceParameters] = [dataset.face(k) for k in range(len(dataset.frames))]
    teeth = TeethPlacement.of(info.teeth)
    renderer = CpuConditioning(model, info.size, teeth)  # the student sees what the teacher sees
    outputs, conditionings = np.array(dataset.frames), [np.stack([renderer.render(face) for face in faces])]
    aligned: list[FaceParameters] = [dataset.aligned_face(k) for k in range(len(dataset.frames))]
    takes = [int(take) for take in dataset.parameters["take"]]
    for first, last in tqdm(dataset.train, desc="generating", unit="take"):
        outputs[first:last] = list(roll_out(network, conditionings[0][first:last]))
    frames = [outputs]
    for number, driver in enumerate(drivers):
        driven = list(reenact(model, teacher, info, driver, Mode.HEAD))
        frames.append(np.stack([frame.output for frame in driven]))
        conditionings.append(np.stack([frame.source.conditioning for frame in driven]))
        faces += [frame.source.parameters for frame in driven]
        aligned += [frame.source.parameters for frame in driven]
        takes += [max(dataset.parameters["take"]) + 1 + number] * len(driven)
    parameters = stack_parameters(faces, aligned, np.array(takes), dataset.camera_map, teeth)
    write_dataset(out, np.concatenate(frames), np.concatenate(conditionings), parameters, dataset.manifest | recipe)


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.distill", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, help="folder written by offline.reconstruct")
    parser.add_argument("--teacher", type=Path, required=True, help="target file (.onnx) of the same person")
    parser.add_argument("--driver", type=Path, action="append", default=[], help="video whose motion is added")
    add_options(parser)
    arguments = parser.parse_args()
    model = MorphableModel.load()
    teacher = read_info(arguments.teacher, model.hash)
    options = TargetOptions.of(arguments, teacher)
    dataset = Dataset(arguments.dataset, model)
    with Ranks.join() as ranks:
        if ranks.first:
            write_teacher_dataset(model, dataset, arguments.teacher, arguments.driver, options.folder / "dataset")
        ranks.wait()
        make_target(model, options, ranks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
