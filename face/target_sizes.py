"""One target file for several image sizes: the largest size's network, and those of the others inside it.

A smaller network lies in the file's metadata without the weights that it shares with the largest one, which are most of
them.
"""

from __future__ import annotations

import base64
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from face.errors import UserError

_KEY = "head2head_network_"  # and the size


def join_sizes(largest: onnx.ModelProto, others: dict[int, onnx.ModelProto]) -> None:
    """Put the networks of other sizes into that of the largest."""
    names = {_content(tensor): tensor.name for tensor in largest.graph.initializer}
    for size, network in others.items():
        lean = onnx.ModelProto()
        lean.CopyFrom(network)
        for tensor in lean.graph.initializer:
            shared = names.get(_content(tensor))
            if shared is not None and tensor.raw_data:
                tensor.ClearField("raw_data")
                tensor.doc_string = shared
        entry = largest.metadata_props.add()
        entry.key, entry.value = f"{_KEY}{size}", base64.b64encode(lean.SerializeToString()).decode()


def network_of_size(path: Path, size: int | None = None) -> onnx.ModelProto:
    """The network of an ONNX target file for images of a size, by default the largest.

    Raises:
        UserError: the file is damaged, or has no network of that size.
    """
    try:
        largest = onnx.load(str(path))
    except DecodeError:
        raise UserError(f"{path} is damaged: export the target again.") from None
    if size is None or size == int(largest.graph.input[0].type.tensor_type.shape.dim[0].dim_value):
        return largest
    others = other_networks(largest)
    if size not in others:
        raise UserError(f"{path} has no network for images of {size} px: export the target again.")
    return others[size]


def other_networks(largest: onnx.ModelProto) -> dict[int, onnx.ModelProto]:
    """The networks of other sizes inside that of the largest, by their sizes in px."""
    weights = {tensor.name: tensor.raw_data for tensor in largest.graph.initializer}
    networks = {}
    for entry in largest.metadata_props:
        if not entry.key.startswith(_KEY):
            continue
        network = onnx.ModelProto.FromString(base64.b64decode(entry.value))
        for tensor in network.graph.initializer:
            if tensor.doc_string:
                tensor.raw_data = weights[tensor.doc_string]
                tensor.ClearField("doc_string")
        networks[int(entry.key.removeprefix(_KEY))] = network
    return networks


def _content(tensor: onnx.TensorProto) -> tuple[int, tuple[int, ...], bytes]:
    """What makes two tensors the same one but for their names."""
    return tensor.data_type, tuple(tensor.dims), tensor.raw_data
