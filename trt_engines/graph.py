"""A target's network as TensorRT wants it: every uint8 input cast at once, and features in half precision.

TensorRT's networks are strongly typed: precision is the graph's, not a switch of the builder's. Convolutions and what
lies between them go to 16 bits. Geometry (where a map is looked up), the sums that make the image and its rounding to
bytes stay in 32: there half precision is a visible step.
"""

from __future__ import annotations

from enum import StrEnum

import onnx
from onnx import TensorProto, helper

# What works on features; a sum does if everything that it adds does.
_FEATURE_OPS = {
    "Conv", "ConvTranspose", "Gemm", "InstanceNormalization", "Relu", "LeakyRelu", "DepthToSpace", "SpaceToDepth",
}  # fmt: skip  # Gemm also because TensorRT for RTX has none in 32 bits for Turing
_SUMS = {"Add", "Concat"}
_BORDERS = {"Pad"}  # of what it is given: features stay features. What else it is told (how much) is no feature
_CHOICES = {"Where"}  # between features and a constant


class Precision(StrEnum):
    """Of a network's features."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


def for_tensorrt(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """A copy of an exported network (``face.recurrence.INPUTS`` to ``output``, all uint8) that TensorRT parses."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _cast_inputs(copy.graph)
    if precision is not Precision.FP32:
        _narrow(copy, TensorProto.FLOAT16 if precision is Precision.FP16 else TensorProto.BFLOAT16)
    return copy


def _cast_inputs(graph: onnx.GraphProto) -> None:
    """TensorRT lets a uint8 input feed nothing but a cast."""
    names = {i.name for i in graph.input}
    for node in graph.node:
        for k, name in enumerate(node.input):
            if name in names:
                node.input[k] = f"{name}.float"
    for name in sorted(names):
        cast = helper.make_node("Cast", [name], [f"{name}.float"], name=f"{name}.cast", to=TensorProto.FLOAT)
        graph.node.insert(0, cast)
    stale = {value.name for value in graph.value_info if value.type.tensor_type.elem_type == TensorProto.UINT8}
    kept = [value for value in graph.value_info if value.name not in stale]
    del graph.value_info[:]
    graph.value_info.extend(kept)


def _made_by_features(graph: onnx.GraphProto) -> set[str]:
    """Names of what the feature nodes put out."""
    made: set[str] = set()
    for node in graph.node:  # in the order of execution
        by_all = node.op_type in _SUMS | _BORDERS and made.issuperset(_data(node))
        by_one = node.op_type in _CHOICES and not made.isdisjoint(_data(node))
        if node.op_type in _FEATURE_OPS or by_all or by_one:
            made.update(node.output)
    return made


def _data(node: onnx.NodeProto) -> list[str]:
    """Those of a node's inputs that its output is made of."""
    if node.op_type in _CHOICES:
        return list(node.input[1:])
    return list(node.input[:1] if node.op_type in _BORDERS else node.input)


def _narrow(model: onnx.ModelProto, kind: int) -> None:
    """Run the feature nodes in a 16-bit type, with casts wherever features begin and end."""
    graph = model.graph
    inside = _made_by_features(graph)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    narrowed: set[str] = set()
    widened: set[str] = set()
    outputs = {output.name for output in graph.output}
    for node in graph.node:
        is_feature = inside.issuperset(node.output)
        for name in _data(node):
            k = list(node.input).index(name)
            if is_feature and name and name not in inside:
                if name not in narrowed:
                    narrowed.add(name)
                    nodes.append(
                        helper.make_node("Cast", [name], [f"{name}.narrow"], name=f"{name}.to_narrow", to=kind)
                    )
                node.input[k] = f"{name}.narrow"
            elif not is_feature and name in inside:
                if name not in widened:
                    widened.add(name)
                    wide = helper.make_node("Cast", [name], [f"{name}.wide"], name=f"{name}.to_wide",
                                            to=TensorProto.FLOAT)  # fmt: skip
                    nodes.append(wide)
                node.input[k] = f"{name}.wide"
        nodes.append(node)
    assert not outputs & inside, "the image itself is made in 32 bits"
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    for name in narrowed & set(weights):  # a weight that is stored narrow makes the file half as large
        tensor = weights[name]
        if tensor.data_type == TensorProto.FLOAT:
            _store_narrow(graph, tensor, kind)


def _store_narrow(graph: onnx.GraphProto, tensor: onnx.TensorProto, kind: int) -> None:
    """Replace a weight's cast by the narrow weight, and drop the wide one if nobody else reads it."""
    values = onnx.numpy_helper.to_array(tensor)
    narrow = f"{tensor.name}.narrow"
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    graph.initializer.append(onnx.numpy_helper.from_array(values.astype(dtype), narrow))
    (cast,) = (node for node in graph.node if node.op_type == "Cast" and list(node.output) == [narrow])
    graph.node.remove(cast)
    if not any(tensor.name in node.input for node in graph.node):
        graph.initializer.remove(tensor)
