"""Inputs of a recurrent generator (Eq. 4): the last conditionings and its own previous outputs."""

from __future__ import annotations

import numpy as np

CONDITIONING_FRAMES = 3  # x_{t-2…t} of Eq. 4
PREVIOUS_FRAMES = 2  # ỹ_{t-2…t-1}
INPUTS = ("conditioning", "conditioning_1", "conditioning_2", "output_1", "output_2")
NO_OUTPUT = 128  # what stands for an output that is not there yet: zero in the network's range


class Recurrence:
    """The state between a generator's steps, on the host."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Clear the history."""
        self._conditionings: list[np.ndarray] = []
        self._outputs: list[np.ndarray] = []

    def inputs(self, conditioning: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs of the next step by the names ``INPUTS``, for its conditioning ``[H, W, 6]`` uint8.

        Before there is a history, the first conditioning stands for the earlier ones and gray for the outputs.
        """
        if not self._conditionings:
            blank = np.full((*conditioning.shape[:2], 3), NO_OUTPUT, np.uint8)
            self._conditionings, self._outputs = [conditioning, conditioning], [blank, blank]
        return dict(zip(INPUTS, (conditioning, *self._conditionings, *self._outputs), strict=True))

    def advance(self, conditioning: np.ndarray, output: np.ndarray) -> None:
        """Add a step to the history: its conditioning and its output ``[H, W, 3]`` uint8."""
        self._conditionings = [conditioning, self._conditionings[0]]
        self._outputs = [output, self._outputs[0]]
