"""Changes to an exported graph keep what it computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from offline.export.onnx_graph import HALVED, bytes_behind, halve_maps, keep_bytes

pytestmark = pytest.mark.fast


def run(model: onnx.ModelProto, value: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: value})[0]


class Sum(nn.Module):
    """A map that an image is added to."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.linspace(-1, 1, 1024).half().float().view(1, 1, 32, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.map


def test_maps_take_half_the_room_and_stay(tmp_path):
    torch.onnx.export(Sum(), (torch.zeros(1, 1, 32, 32),), tmp_path / "sum.onnx", dynamo=False, opset_version=17)
    model = onnx.load(tmp_path / "sum.onnx")
    zeros = np.zeros((1, 1, 32, 32), np.float32)
    before, size = run(model, zeros), len(model.SerializeToString())
    halve_maps(model)
    onnx.checker.check_model(model)
    assert np.array_equal(run(model, zeros), before)
    assert len(model.SerializeToString()) < 0.6 * size
    assert [tensor.name for tensor in model.graph.initializer] == ["map" + HALVED]


def test_bytes_stay_bytes():
    """A convolution by 2 over (bytes - 128) / 100, quantized to the same bytes."""
    number = lambda name, value: numpy_helper.from_array(np.array(value), name)  # noqa: E731
    nodes = [
        helper.make_node("Cast", ["bytes"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "middle"], ["shifted"]),
        helper.make_node("Div", ["shifted", "range"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "weight"], ["out"]),
    ]
    constants = [number("middle", np.float32(128)), number("range", np.float32(100)), number("scale", np.float32(0.01)),
                 number("zero", np.uint8(128)), number("weight", np.full((1, 1, 1, 1), 2, np.float32))]  # fmt: skip
    given = helper.make_tensor_value_info("bytes", TensorProto.UINT8, [1, 1, 16, 16])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 1, 16, 16])

    def model(graph_nodes):
        graph = helper.make_graph(graph_nodes, "bytes", [given], [result], constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    behind = bytes_behind(model(nodes))
    assert behind == {"scaled": "bytes"}
    nodes[3].input[0] = "dequantized"
    quantized = model([
        *nodes[:3],
        helper.make_node("QuantizeLinear", ["scaled", "scale", "zero"], ["quantized"]),
        helper.make_node("DequantizeLinear", ["quantized", "scale", "zero"], ["dequantized"]),
        nodes[3],
    ])  # fmt: skip
    values = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    before = run(quantized, values)
    keep_bytes(quantized, behind)
    assert [node.op_type for node in quantized.graph.node] == ["DequantizeLinear", "Conv"]
    assert {tensor.name for tensor in quantized.graph.initializer} == {"scale", "zero", "weight"}
    assert np.array_equal(run(quantized, values), before)
    assert np.allclose(before, 2 * (values.astype(float) - 128) / 100)
