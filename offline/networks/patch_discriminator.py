"""Discriminators: pix2pixHD's multi-scale PatchGAN.

Shapes carry a suffix: B batch, C channels, H and W image.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """pix2pixHD's PatchGAN: scores overlapping patches of (conditioning, image).

    Args:
        channels: channels of what it scores.
        width: channels after the first layer.
        layers: strided layers.
    """

    def __init__(self, channels: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [min(width * 2**k, 512) for k in range(layers + 1)]
        blocks = [nn.Sequential(nn.Conv2d(channels, widths[0], 4, stride=2, padding=2), nn.LeakyReLU(0.2))]
        for k in range(1, layers + 1):
            stride = 2 if k < layers else 1
            blocks.append(
                nn.Sequential(
                    nn.Conv2d(widths[k - 1], widths[k], 4, stride=stride, padding=2),
                    nn.InstanceNorm2d(widths[k]),
                    nn.LeakyReLU(0.2),
                )
            )
        blocks.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, padding=2)))
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every layer; the last is the verdict [B, 1, h, w]."""
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return features


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators on the image and on its half-size copy."""

    def __init__(self, channels: int, width: int = 64, layers: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList([PatchDiscriminator(channels, width, layers) for _ in range(scales)])

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Features per scale, finest first."""
        features = []
        for scale in self.scales:
            features.append(scale(x))
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return features
