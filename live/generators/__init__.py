"""Generators: one interface, ONNX Runtime on a CPU (``onnx.py``), TensorRT on a GPU."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Generator(Protocol):
    """A recurrent video generator (Eq. 4) that owns its state."""

    description: str
    on_processor: bool  # it computes on the cores that also find the face

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next picture ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        ...

    def reset(self) -> None:
        """Forget the past: the next picture is the first."""
        ...

    def clone(self) -> Generator:
        """A generator of the same network with a state of its own."""
        ...
