"""The generator on a CPU: ONNX Runtime."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnxruntime as ort

from face.errors import FaceError
from face.recurrence import INPUTS, Recurrence


def choose_precision(path: Path) -> Path:
    """The 8-bit network beside an fp32 one (``NAME.int8.onnx``), if there is one: it takes half the time or less."""
    small = path.with_suffix(".int8.onnx")
    return small if small.exists() else path


class OnnxGenerator:
    """Runs a target's network step by step.

    Args:
        path: the target file.
        threads: processor threads; 0 lets ONNX Runtime choose.

    Raises:
        FaceError: the file holds no network of this program.
    """

    on_processor = True

    def __init__(self, path: Path, threads: int = 0) -> None:
        chosen = choose_precision(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Idle threads must sleep: on two cores their spinning would starve the tracker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(chosen), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises bare exceptions of many kinds
            raise FaceError(f"ONNX Runtime cannot load {chosen}: {str(error).splitlines()[0]}") from None
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        if set(inputs) != set(INPUTS):
            raise FaceError(f"{chosen} holds no generator of this program.")
        self.size = int(inputs["conditioning"][0])
        precision = "int8" if chosen != path else "fp32"
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {precision}, {chosen.name}"
        self._past = Recurrence()

    def reset(self) -> None:
        """Forget the past."""
        self._past.reset()

    def another(self) -> OnnxGenerator:
        """A generator of the same network, which is loaded once, with a state of its own."""
        twin = copy.copy(self)
        twin._past = Recurrence()
        return twin

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next picture ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        picture: np.ndarray = self._session.run(None, self._past.inputs(conditioning))[0]
        self._past.advance(conditioning, picture)
        return picture
