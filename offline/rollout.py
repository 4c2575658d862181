"""The roll-out: a recurrent generator (Eq. 4) fed with its own outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort

from face.recurrence import Recurrence

# From inputs by the names ``INPUTS`` to an image ``[H, W, 3]`` uint8.
Network = Callable[[dict[str, np.ndarray]], np.ndarray]


class Rollout:
    """A network and its history.

    Args:
        network: computes one step.
    """

    def __init__(self, network: Network) -> None:
        self._network, self._history = network, Recurrence()

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next image ``[H, W, 3]`` uint8 from a conditioning ``[H, W, 6]`` uint8."""
        image = self._network(self._history.inputs(conditioning))
        self._history.advance(conditioning, image)
        return image


def roll_out(network: Network, conditionings: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Images ``[H, W, 3]`` uint8 of a new roll-out over conditionings ``[H, W, 6]`` uint8."""
    rollout = Rollout(network)
    return (rollout.step(conditioning) for conditioning in conditionings)


def onnx_network(target: Path | bytes) -> Network:
    """The network of a target file, or of an ONNX model's bytes, computed by ONNX Runtime on the CPU."""
    content = target if isinstance(target, bytes) else str(target)
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]
