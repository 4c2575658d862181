"""Targets of former morphable models, taken over to the one in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from face.errors import UserError
from face.landmarks import UNIT_NAMES
from face.morphable import MorphableModel
from face.parameters import of_units
from face.target import read_any_info, write_onnx
from offline.export.target_info import rounded

# Hashes of former morphable models that differ from today's in expression and landmarks alone: same head, same colors.
_PREDECESSORS = ("3c1611e1e8f0ed4965df7beecf7102afb013c51517296485d85a6dfbd99c76dc",)


def remodel(source: Path) -> None:
    """Take ``NAME.onnx`` and ``NAME.int8.onnx`` over to the morphable model in use.

    Raises:
        UserError: it is no ONNX target, or the model it was made for draws other images than today's.
    """
    if source.suffix != ".onnx":
        raise UserError(f"{source} is no ONNX target: --remodel takes NAME.onnx.")
    exact = source.with_name(source.name.removesuffix(".onnx").removesuffix(".int8") + ".onnx")
    twin = exact.with_suffix(".int8.onnx")
    model_hash = MorphableModel.load().hash
    # The int8 file first: one that is older than its exact twin would go on being used.
    for path in [file for file in (twin, exact) if file.exists() or file == exact]:
        info = read_any_info(path)
        if info.model_hash == model_hash:
            print(f"{path} is for the morphable model in use already.")
            continue
        if info.model_hash not in _PREDECESSORS:
            raise UserError(f"The network of {path} knows images of another head: reconstruct and train it again.")
        units = np.array(info.neutral_expression[: len(UNIT_NAMES)])
        current = replace(info, model_hash=model_hash, neutral_expression=rounded(of_units(units)))
        write_onnx(path, onnx.load(str(path)), current)
        print(f"wrote {path} for the morphable model in use")
