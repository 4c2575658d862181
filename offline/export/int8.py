"""The compact generator in int8, for a CPU.

Activations are uint8, weights int8 per channel, of which only seven bits are used: CPUs without VNNI add two
products in 16 bits, which eight would overflow. One file does for all of them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from face.compact_constants import HALF_RANGE, MIDDLE, PARTS, SEAMS
from face.recurrence import INPUTS, PREVIOUS_FRAMES
from offline.dataset.dataset import Dataset
from offline.export.onnx_graph import bytes_behind, close_seams, halve_maps, keep_bytes

_CALIBRATION_FRAMES = 32
# What 8 bits are enough for: features, corrections, and images, which are bytes themselves. The layers' geometry and
# the sums that make the image stay in float: there a rounding step is a step of the image.
_QUANTISED = ("/conditioning_encoder", "/previous_encoder", "/encoder", "/middle", "/to_eighth", "/at_eighth",
              "/to_quarter", "/at_quarter", "/to_half", "/detail", "/at_half", "/to_corrections",
              *(f"/{part.name}" for part in PARTS))  # fmt: skip
_KINDS = ("Conv", "Add", "Relu", "Transpose", "Reshape")


def quantize(model: onnx.ModelProto, dataset: Dataset, seams: tuple[str, ...] = SEAMS) -> onnx.ModelProto:
    """Static int8 version of a step arranged for the CPU, exported with seams, calibrated on training takes."""
    with tempfile.TemporaryDirectory() as folder:
        prepared, result = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(model, str(prepared), skip_optimization=True)  # it would turn tables of bytes into floats
        plain = onnx.load(str(prepared))
        behind = bytes_behind(plain)
        scale, middle = np.array(1 / HALF_RANGE, np.float32), np.array(MIDDLE, np.uint8)
        as_bytes = {"quant_type": QuantType.QUInt8, "scale": scale, "zero_point": middle}
        quantize_static(
            str(prepared), str(result), _Frames(dataset), quant_format=QuantFormat.QDQ, per_channel=True,
            reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            op_types_to_quantize=list(_KINDS), calibrate_method=CalibrationMethod.MinMax,
            nodes_to_quantize=_chosen(plain.graph),
            extra_options={"TensorQuantOverrides": {name: [dict(as_bytes)] for name in behind}},
        )  # fmt: skip
        small = onnx.load(str(result))
    keep_bytes(small, behind)
    close_seams(small, seams)
    halve_maps(small)
    return small


def _chosen(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes to quantize: those of some parts, and sums of what they put out."""
    chosen: list[str] = []
    small = {tensor.name for tensor in graph.initializer}
    for node in graph.node:  # in the order in which they run
        sums = node.op_type == "Add" and small.issuperset(node.input)
        if sums or node.op_type in _KINDS and node.name.startswith(_QUANTISED):
            chosen.append(node.name)
            small.update(node.output)
    return chosen


class _Frames(CalibrationDataReader):
    """Inputs of steps spread evenly over the training takes, with the camera's images for the outputs before."""

    def __init__(self, dataset: Dataset) -> None:
        x, y = dataset.conditionings, dataset.frames
        frames = np.concatenate([np.arange(a + PREVIOUS_FRAMES, b) for a, b in dataset.train])
        order = frames[np.linspace(0, len(frames) - 1, _CALIBRATION_FRAMES).astype(int)]
        self._feeds = iter(
            dict(zip(INPUTS, (x[k], x[k - 1], x[k - 2], y[k - 1], y[k - 2]), strict=True)) for k in order
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)
