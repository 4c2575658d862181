"""The exported network against the trained one."""

from __future__ import annotations

import numpy as np
import onnx
from torch import nn

from face.errors import UserError
from offline.networks.exported_step import torch_network
from offline.rollout import onnx_network, roll_out

_CHECK_MEAN = 0.05  # of 255, in any frame: a byte rounded the other way here and there


def check(model: onnx.ModelProto, generator: nn.Module, conditionings: np.ndarray) -> np.ndarray:
    """Compare ONNX Runtime with torch on every step of a roll-out; ONNX Runtime's images ``[T, H, W, 3]`` uint8.

    Both are given the same history at each step: a recurrent network that is not trained yet makes a different
    image out of one different byte within a few steps, whoever computes it.

    Raises:
        UserError: they differ by more than rounding in any frame.
    """
    network, reference = onnx_network(model.SerializeToString()), torch_network(generator)
    differences = []

    def compared(inputs: dict[str, np.ndarray]) -> np.ndarray:
        image = network(inputs)
        differences.append(np.abs(image.astype(int) - reference(inputs)))
        return image

    images = np.stack(list(roll_out(compared, conditionings)))
    means = np.array([difference.mean() for difference in differences])
    print(f"ONNX against torch, each of {len(means)} frames: largest difference {np.max(differences)} of 255, mean "
          f"{means.mean():.5f}, of the worst frame (number {means.argmax()}) {means.max():.5f}")  # fmt: skip
    if means.max() > _CHECK_MEAN:
        raise UserError("The exported network differs from the trained one: nothing was written.")
    return images
