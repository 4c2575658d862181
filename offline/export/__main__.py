r"""A trained generator to a target file.

    python -m offline.export DATASET --run RUN --name demo --title "Mira" --provenance "…" --footage "…" \
        --permission "…" --permitted-by "…" [--out trt_engines]
    python -m offline.export TARGET.onnx --engine [--precision fp16] [--compute-capability 8.9]
    python -m offline.export TARGET.onnx --remodel

The second makes TARGET.engine for TensorRT: for the GPU at hand or, by TensorRT for RTX, for any other. The last takes
a target, and its int8 twin, over to the morphable model in use: networks see only images of the face.

The exported step takes and gives uint8 images, so that the host does no work per pixel. It is checked against
torch over a roll-out before anything is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from face.errors import UserError
from face.files import check_output_folder
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.export.engine import export_engine
from offline.export.newer_model import remodel
from offline.export.options import add_options, target_labels
from offline.export.target_export import export
from trt_engines.folders import new_target_folder
from trt_engines.graph import Precision


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.export", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("source", type=Path, metavar="DATASET|TARGET.onnx")
    parser.add_argument("--run", type=Path, help="folder written by offline.learn")
    parser.add_argument("--out", type=Path, default=new_target_folder(), help="(default %(default)s)")
    engine = parser.add_argument_group("engine")
    engine.add_argument("--engine", action="store_true", help="build a TensorRT engine from an ONNX target")
    engine.add_argument("--precision", choices=[p.value for p in Precision], default=Precision.FP16.value,
                        help="of its features (default: fp16)")  # fmt: skip
    engine.add_argument("--compute-capability", metavar="N.N", help="of the GPU it is for (default: the one at hand)")
    add_options(parser)
    parser.add_argument("--remodel", action="store_true", help="take an ONNX target over to the morphable model in use")
    arguments = parser.parse_args()
    if arguments.remodel:
        remodel(arguments.source)
        return 0
    if arguments.engine:
        export_engine(arguments.source, Precision(arguments.precision), arguments.compute_capability)
        return 0
    labels = target_labels(arguments)
    if arguments.run is None:
        raise UserError("To export a run, give --run as well.")
    check_output_folder(arguments.out)
    export(Dataset(arguments.source, MorphableModel.load()), arguments.run, labels, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
