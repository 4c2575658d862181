"""The graph that TensorRT gets makes the same images."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto

from offline.export.onnx_step import export_onnx
from offline.networks.paper_generator import PaperGenerator
from offline.rollout import onnx_network, roll_out
from trt_engines.graph import Precision, for_tensorrt

pytestmark = pytest.mark.fast


def images_of(model: onnx.ModelProto) -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(0, 3, (100, 1, 1, 6)), 0) + np.linspace(0, 200, 64)[:, None, None]
    conditionings = np.broadcast_to(smooth.clip(0, 255).astype(np.uint8), (100, 64, 64, 6))
    return np.stack(list(roll_out(onnx_network(model.SerializeToString()), conditionings)))


@pytest.fixture(scope="module")
def expected(network) -> np.ndarray:
    return images_of(network)


def test_in_full_precision_nothing_changes(network, expected):
    graph = for_tensorrt(network, Precision.FP32)
    assert np.array_equal(images_of(graph), expected)
    assert graph is not network and len(network.graph.node) < len(graph.graph.node)


def test_half_precision_is_as_good_over_a_hundred_frames(network, expected):
    error = ((images_of(for_tensorrt(network, Precision.FP16)).astype(float) - expected) ** 2).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) >= 45


def test_convolutions_are_narrow_and_geometry_is_not(network):
    """In fp16: the checker of this ONNX knows no convolution in bf16, which TensorRT reads (test_engines.py)."""
    kind = TensorProto.FLOAT16
    graph = onnx.shape_inference.infer_shapes(for_tensorrt(network, Precision.FP16), check_type=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions and {types[node.output[0]] for node in convolutions} == {kind}
    assert all(types[name] == kind for node in convolutions for name in node.input)
    samples = [node for node in graph.node if node.op_type == "GridSample"]
    assert samples and {types[name] for node in samples for name in node.input} == {TensorProto.FLOAT}


def test_every_uint8_input_feeds_casts_alone(network):
    graph = for_tensorrt(network, Precision.FP16).graph
    inputs = {i.name for i in graph.input}
    assert all(node.op_type == "Cast" for node in graph.node if inputs & set(node.input))


def test_borders_of_features_stay_narrow():
    """The paper's network reflects its maps' borders before nearly every convolution."""
    torch.manual_seed(0)
    wide = export_onnx(PaperGenerator(64, 8), 64)
    narrow = for_tensorrt(wide, Precision.FP16)
    assert sum(node.op_type == "Pad" for node in narrow.graph.node) == 31
    made = {output: node.op_type for node in narrow.graph.node for output in node.output}
    casts = [node for node in narrow.graph.node if node.op_type == "Cast" and made.get(node.input[0]) == "Pad"]
    assert len(casts) == 2  # of what the two encoders are given
    rng = np.random.default_rng(0)
    given = {i.name: rng.integers(0, 255, [d.dim_value for d in i.type.tensor_type.shape.dim], dtype=np.uint8)
             for i in wide.graph.input}  # fmt: skip
    first, second = (
        ort.InferenceSession(graph.SerializeToString()).run(None, given)[0].astype(float) for graph in (wide, narrow)
    )
    assert 10 * np.log10(255**2 / ((first - second) ** 2).mean()) >= 45
