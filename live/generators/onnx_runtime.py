"""The generator on a CPU: ONNX Runtime for all of it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnxruntime as ort

from face.errors import UserError
from face.recurrence import INPUTS, Recurrence
from face.target_sizes import network_of_size


def open_session(network: str | bytes, name: str, threads: int) -> ort.InferenceSession:
    """Load a network, or part of one, for a CPU.

    Args:
        network: path or content.
        name: of its file.
        threads: CPU threads; 0 lets ONNX Runtime choose.

    Raises:
        UserError: it is none.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads must sleep: on two cores their spinning would starve the tracker.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises bare exceptions of many kinds
        raise UserError(f"ONNX Runtime cannot load {name}: {str(error).splitlines()[0]}") from None


class OnnxGenerator:
    """Runs a target's network step by step.

    Args:
        path: the target file.
        threads: CPU threads; 0 lets ONNX Runtime choose.
        size: of the images, px; by default the largest that the file has a network for.

    Raises:
        UserError: the file holds no network of this program, or none of that size.
    """

    on_cpu = True

    def __init__(self, path: Path, threads: int = 0, size: int | None = None) -> None:
        network = str(path) if size is None else network_of_size(path, size).SerializeToString()
        self._session = open_session(network, str(path), threads)
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        if set(inputs) != set(INPUTS):
            raise UserError(f"{path} holds no generator of this program.")
        self.size = int(inputs["conditioning"][0])
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {path.name}"
        self._history = Recurrence()

    def reset(self) -> None:
        """Forget previous frames."""
        self._history.reset()

    def clone(self) -> OnnxGenerator:
        """A generator of the same network, which is loaded once, with a state of its own."""
        clone = copy.copy(self)
        clone._history = Recurrence()
        return clone

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next image ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        image: np.ndarray = self._session.run(None, self._history.inputs(conditioning))[0]
        self._history.advance(conditioning, image)
        return image
