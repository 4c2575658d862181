"""A TensorRT engine from a target."""

from __future__ import annotations

from pathlib import Path

from face.errors import UserError
from face.morphable import MorphableModel
from face.target import read_info
from trt_engines.engines import build_engine, parse_capability
from trt_engines.graph import Precision
from trt_engines.library import at_hand


def export_engine(source: Path, precision: Precision, capability: str | None) -> Path:
    """Build ``NAME.engine`` beside the ONNX target ``NAME.onnx``.

    Raises:
        UserError: it is no ONNX target, or TensorRT cannot build it.
    """
    if source.suffix != ".onnx":
        raise UserError(f"{source} is no ONNX target: --engine builds from NAME.onnx.")
    info = read_info(source, MorphableModel.load().hash)
    out = source.with_suffix(".engine")
    target_capability = parse_capability(capability) if capability else at_hand()[1].capability
    build_engine(source, info, out, precision, target_capability, at_hand=capability is None)
    print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return out
