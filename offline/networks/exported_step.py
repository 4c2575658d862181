"""A generator's step as it is exported: bytes in, bytes out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from face.recurrence import INPUTS, NO_OUTPUT
from offline.rollout import Network

BYTE = 1 / 127.5  # one step of a byte, in the networks' range -1…1
# What stands for an output that is not there yet, in that range: to the bit what the exported step makes of it.
NO_OUTPUT_VALUE = float(torch.tensor(NO_OUTPUT) / 127.5 - 1)


class ExportedStep(nn.Module):
    """One step on uint8 images ``[H, W, C]``: conditionings at t, t-1, t-2 and outputs at t-1, t-2."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, now: Tensor, x1: Tensor, x2: Tensor, y1: Tensor, y2: Tensor) -> Tensor:
        """Image [H, W, 3] uint8."""
        scale = lambda *a: torch.cat(a, 2).permute(2, 0, 1)[None].float() / 127.5 - 1  # noqa: E731
        image = self.generator(scale(x2, x1, now), scale(y2, y1))
        return image_bytes(image)


def image_bytes(image: Tensor) -> Tensor:
    """An image [1, 3, H, W], -1…1, as bytes [H, W, 3] uint8."""
    return torch.clamp((image[0].permute(1, 2, 0) + 1) * 127.5 + 0.5, 0, 255).to(torch.uint8)


def torch_network(generator: nn.Module, device: torch.device | None = None) -> Network:
    """The exported step as a roll-out needs it, computed by torch on a device (default: the CPU)."""
    step = ExportedStep(generator).eval()

    @torch.no_grad()
    def network(inputs: dict[str, np.ndarray]) -> np.ndarray:
        return step(*(torch.tensor(inputs[name], device=device) for name in INPUTS)).cpu().numpy()

    return network
