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

_NETWORK = "generator."  # what exported weights' names begin with


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
        stored = onnx.load(str(path)).graph.initializer
    except FileNotFoundError:
        raise UserError(f"There is no target file {path}.") from None
    except DecodeError:
        raise UserError(f"{path} is no ONNX file.") from None
    return {
        tensor.name.removeprefix(_NETWORK).removesuffix(HALVED): torch.from_numpy(
            numpy_helper.to_array(tensor).astype("float32")
        )
        for tensor in stored
        if tensor.name.startswith(_NETWORK)
    }
