"""Changes to an exported network's graph that make its file smaller and its step faster on a processor."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

_MAP_SIDE = 32  # maps are at least this large, convolutions' weights are smaller
HALVED = ".half"  # how the names of maps in half precision end
_FINER = 4  # places per texel and direction that a lookup tells apart


def halve_maps(model: onnx.ModelProto) -> None:
    """Store the remembered maps, a third of the file, in half precision; they are cast back as the file is loaded."""
    graph = model.graph
    for tensor in list(graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 4 or min(tensor.dims[2:]) < _MAP_SIDE:
            continue
        stored = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + HALVED)
        graph.initializer.remove(tensor)
        graph.initializer.append(stored)
        graph.node.insert(0, helper.make_node("Cast", [stored.name], [tensor.name], to=onnx.TensorProto.FLOAT))


def quicken_lookups(model: onnx.ModelProto) -> None:
    """Look constant maps up in tables instead of interpolating them for every pixel.

    The map is interpolated once, as the file is loaded, to a table that is ``_FINER`` times finer; the nearest of
    its texels is at most an eighth of the map's texel away. ONNX Runtime gathers rows of such a table several times
    faster than it samples a grid.
    """
    graph = model.graph
    maker = {output: node for node in graph.node for output in node.output}
    constant = {tensor.name: tensor for tensor in graph.initializer}
    nodes = list(graph.node)
    for number, node in enumerate(list(graph.node)):
        if node.op_type != "GridSample":
            continue
        source = node.input[0]
        while source in maker and maker[source].op_type in ("Expand", "Cast"):
            source = maker[source].input[0]
        if source not in constant:  # it changes from frame to frame
            continue
        made = _table_lookup(graph, node, list(constant[source].dims), maker[node.input[1]].input[0], f"lookup{number}")
        at = nodes.index(node)
        nodes[at : at + 1] = made
    del graph.node[:]
    graph.node.extend(nodes)


def _table_lookup(
    graph: onnx.GraphProto, node: onnx.NodeProto, dims: list[int], places: str, name: str
) -> list[onnx.NodeProto]:
    """Nodes that do a ``GridSample`` node's work for a map of some dimensions and places ``[1, 2, H, W]`` (-1…1)."""
    _, channels, height, width = dims
    finer = np.array([width * _FINER, height * _FINER], np.float32).reshape(1, 2, 1, 1)

    def given(label: str, value: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(value, f"{name}.{label}"))
        return f"{name}.{label}"

    steps: list[tuple[str, list[str], dict[str, object]]] = [
        # The table, one row a place; computed when the file is loaded.
        ("Resize", [node.input[0], "", given("scales", np.array([1, 1, _FINER, _FINER], np.float32))],
         {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}),
        ("Transpose", ["0"], {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["1", given("rows", np.array([-1, channels]))], {}),
        # The row of each pixel.
        ("Mul", [places, given("half", finer / 2)], {}),
        ("Add", ["3", given("middle", finer / 2)], {}),
        ("Floor", ["4"], {}),
        ("Max", ["5", given("first", np.zeros((1, 2, 1, 1), np.float32))], {}),
        ("Min", ["6", given("last", finer - 1)], {}),
        ("Mul", ["7", given("strides", np.array([1, width * _FINER], np.float32).reshape(1, 2, 1, 1))], {}),
        ("ReduceSum", ["8", given("axes", np.array([1]))], {"keepdims": 0}),  # exact: below 2²⁴
        ("Cast", ["9"], {"to": onnx.TensorProto.INT32}),
        ("Gather", ["2", "10"], {"axis": 0}),
        ("Transpose", ["11"], {"perm": [0, 3, 1, 2]}),
    ]  # fmt: skip
    made = []
    for k, (kind, inputs, attributes) in enumerate(steps):
        inputs = [f"{name}.{one}" if one.isdigit() else one for one in inputs]
        output = node.output[0] if k == len(steps) - 1 else f"{name}.{k}"
        made.append(helper.make_node(kind, inputs, [output], name=f"{name}/{k}", **attributes))
    return made
