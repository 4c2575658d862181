"""Untrained generators for a CPU that show something."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from face.target import TargetInfo, write_onnx
from face.target_sizes import join_sizes
from offline.export.onnx_step import export_onnx
from offline.networks.compact_generator import CompactGenerator


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


def write_two_sizes(path: Path, info: TargetInfo) -> None:
    """A target file of an untrained network of 128 and 64 px; ``info`` is that of 64 px."""
    generator = CompactGenerator(128, widths=(8, 12, 16), fine=8, trunk=64)
    generator.camera_mean += 0.01  # the exporter stores equal tensors once
    largest = export_onnx(generator, 128)
    join_sizes(largest, {64: export_onnx(generator.at_trunk(), 64)})
    write_onnx(path, largest, info.at(128))
