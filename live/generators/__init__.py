"""Generators: one interface, ONNX Runtime on a CPU (``onnx_runtime.py``, ``cpu_int8.py``), TensorRT on a GPU."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Generator(Protocol):
    """A recurrent video generator (Eq. 4) that owns its state."""

    description: str
    size: int  # px, height and width of its images
    on_cpu: bool  # it runs on the cores that also track the face

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next image ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        ...

    def reset(self) -> None:
        """Forget previous frames: the next image is the first."""
        ...

    def clone(self) -> Generator:
        """A generator of the same network with a state of its own."""
        ...
