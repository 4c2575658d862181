"""Untrained generators for a CPU that show something."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def give_layers(made: nn.Module, chance: torch.Generator) -> None:
    """Fill what starts at zero: each part has its say, and the layers can be seen."""
    for parameter in made.parameters():
        if parameter.dim() > 1 and not parameter.any():
            parameter.normal_(0, 0.01, generator=chance)
    for layer in (made.backdrop, made.head, made.face):  # smooth: at most 8 of 255 from texel to texel
        assert isinstance(layer, Tensor)
        rough = torch.rand(1, layer.shape[1], *(n // 32 for n in layer.shape[2:]), generator=chance) * 2 - 1
        layer.copy_(nn.functional.interpolate(rough, layer.shape[2:], mode="bilinear"))
    made.head[:, 3] += 2
