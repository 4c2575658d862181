"""The three networks of MediaPipe's face landmarker, from the file that ships, on LiteRT."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from face.errors import UserError
from face.silenced_libraries import silenced

MODEL_PATH = Path(__file__).parent / "data" / "face_landmarker.task"
_THREADS = 1  # two would be a quarter faster alone, and slower where other threads keep the second one waiting


class Network:
    """One of the networks.

    Args:
        name: of its file in the bundle, without the ending.

    Raises:
        UserError: the bundle is missing.
    """

    def __init__(self, name: str) -> None:
        if not MODEL_PATH.exists():
            raise UserError(f"The tracker's model {MODEL_PATH} is missing: reinstall this program.")
        with zipfile.ZipFile(MODEL_PATH) as bundle:
            content = bundle.read(f"{name}.tflite")
        with silenced(2):  # LiteRT greets, whatever is set
            self._interpreter = Interpreter(model_content=content, num_threads=_THREADS)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The network's outputs for an input of its shape, all float32."""
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
