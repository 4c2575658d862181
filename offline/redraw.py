"""Draw a dataset's conditionings anew: with teeth where it has none, or without them.

    python -m offline.redraw DATASET OUT [--no-teeth]

OUT is a dataset of the same frames and faces, as 'python -m offline.reconstruct' would make it now of the same videos.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.dataset.store import DatasetWriter
from offline.reconstruct.options import add_teeth_option
from offline.reconstruct.reconstruction import FORMAT
from offline.reconstruct.teeth import place_teeth


def redraw(dataset: Dataset, out: Path, teeth: bool) -> None:
    """Write the dataset folder, whole or not at all.

    Raises:
        UserError: the folder is the dataset's own, or holds something else.
    """
    if out.resolve() == dataset.folder.resolve():
        raise UserError(f"{out} is the dataset itself: give another folder.")
    count, size = len(dataset.frames), int(dataset.frames.shape[1])
    trained = max(last for _, last in dataset.train)
    with DatasetWriter(out, count, size) as made:
        aligned = [dataset.aligned_face(number) for number in range(trained)]
        placed = place_teeth(dataset.model, dataset.frames[:trained], aligned) if teeth else None
        renderer = CpuConditioning(dataset.model, size, placed)
        for number in tqdm(range(count), desc="rendering", unit="frame"):
            made.frames[number] = dataset.frames[number]
            made.conditionings[number] = renderer.render(dataset.face(number))
        parameters = dataset.parameters | {"teeth": np.array(placed.values() if placed else ())}
        made.finish(parameters, dataset.manifest | {"format": FORMAT, "teeth": teeth})
    print(f"wrote {out}: {f'teeth at {placed}' if placed else 'no teeth'}")


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.redraw", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", type=Path, help="folder written by offline.reconstruct")
    parser.add_argument("out", type=Path, help="folder for the other dataset")
    add_teeth_option(parser)
    arguments = parser.parse_args()
    redraw(Dataset(arguments.dataset, MorphableModel.load()), arguments.out, arguments.teeth)
    return 0


if __name__ == "__main__":
    sys.exit(main())
