"""What the generators for a CPU are built of: an encoder and a residual block.

Shapes carry a suffix: B batch, C channels, H and W image.
"""

from __future__ import annotations

from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from face.compact_constants import PATCH

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions on a residual path that starts at zero, so that depth does no harm early on."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = zeroed(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        return x + self.second(F.relu(self.first(x)))


class Encoder(nn.Module):
    """Image [B, C, H, W] to features at a quarter, an eighth and a sixteenth of its size."""

    def __init__(self, channels: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.quarter = nn.Sequential(nn.Conv2d(channels, quarter, PATCH, stride=PATCH), nn.ReLU())
        self.eighth = nn.Sequential(nn.Conv2d(quarter, eighth, 3, stride=2, padding=1), nn.ReLU())
        self.sixteenth = nn.Sequential(nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features, finest first."""
        quarter = self.quarter(x)
        eighth = self.eighth(quarter)
        return quarter, eighth, self.sixteenth(eighth)


def zeroed(layer: Layer) -> Layer:
    """The layer with weights of zero: what it feeds starts without it."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
