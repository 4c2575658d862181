"""An int8 network that is cut at its seams: sessions of its parts, and what lies beside them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnx.utils import Extractor

from face.compact_constants import HALVED
from live.generators.onnx_runtime import open_session

Cut = tuple[tuple[str, ...], tuple[str, ...]]  # names of what goes into a part and of what comes out


def open_parts(model: onnx.ModelProto, name: str, parts: Iterable[tuple[Cut, int]]) -> list[ort.InferenceSession]:
    """Sessions of a network's parts.

    Args:
        model: the network, with seams.
        name: of its file.
        parts: each with its CPU threads; 0 lets ONNX Runtime choose.

    Raises:
        UserError: ONNX Runtime cannot load it.
    """
    extractor = Extractor(model)
    return [
        open_session(extractor.extract_model(list(inputs), list(outputs)).SerializeToString(), name, threads)
        for (inputs, outputs), threads in parts
    ]


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """A network's constants by their names."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def background_of(values: dict[str, np.ndarray]) -> np.ndarray:
    """The generator's background among a network's constants, ``[3, H, W]`` float32, -1…1."""
    background = values["generator.backdrop" + HALVED][0].astype(np.float32)
    # The exporter lays it out as suits its graph.
    return np.ascontiguousarray(background if len(background) == 3 else background.transpose(2, 0, 1))
