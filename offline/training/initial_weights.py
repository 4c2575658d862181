"""What a new run starts from: what another run has learned, or the network inside a target file."""

from __future__ import annotations

import pickle
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor

from face.compact_constants import HALVED
from face.errors import UserError
from face.target_sizes import other_networks
from offline.networks.compact_generator import COARSE

_NETWORK = "generator."  # what exported weights' names begin with
_ENDS = ("detail.", "to_corrections.")  # what the smaller network of two has of its own


def learned_weights(path: Path) -> tuple[dict[str, Tensor], bool]:
    """A generator's weights by name, and whether it learned from several people.

    Args:
        path: a run's folder, its ``checkpoint.pt``, or a target ``NAME.onnx``.

    Raises:
        UserError: there is no such file, or it is none of these.
    """
    if path.suffix == ".onnx":
        return _exported_weights(path), False
    checkpoint = path / "checkpoint.pt" if path.is_dir() else path
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return state["average"], state["people"] > 1
    except FileNotFoundError:
        raise UserError(f"{path} holds no checkpoint to start from.") from None
    except (RuntimeError, OSError, KeyError, ValueError, pickle.UnpicklingError):
        raise UserError(
            f"{path} is no checkpoint of this program: give a run's folder, its checkpoint.pt or a target."
        ) from None


def _exported_weights(path: Path) -> dict[str, Tensor]:
    """Weights that an fp32 target file holds; those of an int8 one are rounded and go by other names."""
    try:
        model = onnx.load(str(path))
    except FileNotFoundError:
        raise UserError(f"There is no target file {path}.") from None
    except DecodeError:
        raise UserError(f"{path} is no ONNX file.") from None
    weights = _by_name(model)
    for smaller in other_networks(model).values():
        ends = {name: value for name, value in _by_name(smaller).items() if name.startswith(_ENDS)}
        weights |= {f"{COARSE}{name}": value for name, value in ends.items()}
    return weights


def _by_name(model: onnx.ModelProto) -> dict[str, Tensor]:
    return {
        tensor.name.removeprefix(_NETWORK).removesuffix(HALVED): torch.from_numpy(
            numpy_helper.to_array(tensor).astype("float32")
        )
        for tensor in model.graph.initializer
        if tensor.name.startswith(_NETWORK)
    }
