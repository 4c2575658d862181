"""The gaze network: both eyes through one small convolutional network."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from face.files import atomic
from face.gaze_estimation import HEIGHT, WIDTH

UNIT_DEG = 10.0


class GazeNetwork(nn.Module):
    """Both eyes through one small convolutional network, the right one mirrored, then their places beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(24, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 4 * 5, 48), nn.ReLU(),
        )  # fmt: skip
        self.gaze = nn.Sequential(nn.Linear(2 * 48 + 22, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, eyes: Tensor, places: Tensor, turn_deg: Tensor, trust: Tensor | None = None) -> Tensor:
        """Gaze ``[N, 2]`` degrees from ``GazeSamples`` whose eyes are ``[N, 2, 28, 36]``, 0…255.

        ``trust``: ``[N, 1]`` 0 where places and turn are kept from it, so that it learns to look.
        """
        eyes = eyes.float()
        mean, spread = eyes.mean((2, 3), keepdim=True), eyes.std((2, 3), keepdim=True)
        eyes = (eyes - mean) / (spread + 5)
        beside = torch.cat([places.flatten(1), torch.sin(turn_deg * (math.pi / 180)) * 2], 1)
        if trust is not None:
            beside = beside * trust
        left, right = self.eye(eyes[:, :1]), self.eye(eyes[:, 1:].flip(3))
        return self.gaze(torch.cat([left, right, beside], 1)) * UNIT_DEG


def export(network: GazeNetwork, out: Path) -> None:
    """Write the network as ONNX with inputs ``eyes`` (uint8), ``places`` and ``turn_deg``, one face at a time."""
    example = (torch.zeros(1, 2, HEIGHT, WIDTH, dtype=torch.uint8), torch.zeros(1, 2, 5, 2), torch.zeros(1, 2))
    with atomic(out) as unfinished:
        torch.onnx.export(network, example, unfinished, input_names=["eyes", "places", "turn_deg"],
                          output_names=["gaze_deg"], opset_version=17, dynamo=False)  # fmt: skip
