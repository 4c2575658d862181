"""Changes to an exported network's graph that make its file smaller and its step faster on a CPU."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from face.compact_constants import HALVED

_MAP_SIZE = 32 * 32  # maps have at least so many values, and one in their first dimension


def halve_maps(model: onnx.ModelProto) -> None:
    """Store the textures, a third of the file, in half precision; they are cast back as the file is loaded."""
    graph = model.graph
    for tensor in list(graph.initializer):
        is_map = len(tensor.dims) == 4 and tensor.dims[0] == 1 and np.prod(tensor.dims) >= _MAP_SIZE
        is_map = is_map or tensor.name.endswith("_bases")
        if tensor.data_type != onnx.TensorProto.FLOAT or not is_map:
            continue
        stored = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + HALVED)
        graph.initializer.remove(tensor)
        graph.initializer.append(stored)
        graph.node.insert(0, helper.make_node("Cast", [stored.name], [tensor.name], to=onnx.TensorProto.FLOAT))


def bytes_behind(model: onnx.ModelProto) -> dict[str, str]:
    """Inputs of convolutions that are ``(bytes - middle) / half_range``, and the bytes that each is made of."""
    maker = {output: node for node in model.graph.node for output in node.output}
    sources = {}
    for conv in model.graph.node:
        if conv.op_type != "Conv":
            continue
        name = conv.input[0]
        for kind in ("Div", "Sub", "Cast"):
            if name not in maker or maker[name].op_type != kind:
                break
            name = maker[name].input[0]
        else:
            sources[conv.input[0]] = name
    return sources


def keep_bytes(model: onnx.ModelProto, behind: dict[str, str]) -> None:
    """Hand bytes on as they are instead of making them floats and quantizing those to the same bytes.

    Args:
        model: quantized so that its bytes for each of ``behind`` are the very bytes that it is made of.
        behind: as ``bytes_behind`` found before.
    """
    graph = model.graph
    same = {node.output[0]: behind[node.input[0]] for node in graph.node
            if node.op_type == "QuantizeLinear" and node.input[0] in behind}  # fmt: skip
    for node in graph.node:
        for number, name in enumerate(node.input):
            node.input[number] = same.get(name, name)
    _drop_unused(graph)


def close_seams(model: onnx.ModelProto, seams: Iterable[str]) -> None:
    """Put out a step's image alone, and keep the names of its seams for those who cut it there.

    Where a seam's values are bytes that stand for them, the name goes to the bytes.
    """
    graph = model.graph
    kept = {output.name: output for output in graph.output if output.name in set(seams)}
    new_names: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] in kept:
            name = node.output[0]
            kept[name].type.tensor_type.elem_type = onnx.TensorProto.UINT8
            new_names |= {node.input[0]: name, name: f"{name}.value"}
    for node in graph.node:
        for names in (node.input, node.output):
            for number, name in enumerate(names):
                names[number] = new_names.get(name, name)
    for value in [value for value in graph.value_info if value.name in kept]:
        graph.value_info.remove(value)
    for output in kept.values():
        graph.output.remove(output)
        graph.value_info.append(output)


def _drop_unused(graph: onnx.GraphProto) -> None:
    while True:
        used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        unused = [node for node in graph.node if not used & set(node.output)]
        if not unused:
            break
        for node in unused:
            graph.node.remove(node)
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)
