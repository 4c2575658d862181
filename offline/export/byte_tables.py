"""A generator's head and face as tables of bytes, which a CPU looks up instead of interpolating."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from face.compact_constants import HALF_RANGE, HEAD_EXTENT, MIDDLE
from offline.networks.compact_generator import CompactGenerator
from offline.networks.layered_generator import LayeredGenerator

_FINER = 2  # places per texel of the head's map and direction that a lookup tells apart


def finer_maps(generator: CompactGenerator | LayeredGenerator) -> tuple[Tensor, Tensor]:
    """Maps [1, 4, h, w] with a texel for each place that a lookup tells apart, of head and face.

    The NMFC's first two colors are bytes: the face's has a texel for each pair of them.
    """
    across = (torch.arange(256) / HALF_RANGE - 1).expand(256, 256)
    places = torch.stack([across, across.T], -1)[None]
    face = F.grid_sample(generator.face, places, padding_mode="border", align_corners=False)
    return F.interpolate(generator.head, scale_factor=_FINER, mode="bilinear", align_corners=False), face


def byte_table(layer: Tensor) -> tuple[Tensor, Tensor]:
    """A map [1, C, h, w] as rows of bytes [h·w, C], and what one step of a byte in each channel is worth [C]."""
    step = layer.abs().amax((0, 2, 3)).clamp(min=1e-6) / HALF_RANGE
    rows = (layer[0] / step[:, None, None] + MIDDLE).round().clamp(0, 255).permute(1, 2, 0)
    return rows.reshape(-1, len(step)).to(torch.uint8), step


def head_rows(places: Tensor, side: int) -> Tensor:
    """Rows [H, W] int32 of the head's table, of a map of that side, for places [1, 2, H, W]."""
    half = side / 2
    nearest = (places[0] * (half / HEAD_EXTENT) + half).clamp(0, side - 1).int()
    return nearest[0] + side * nearest[1]


def face_rows(now: Tensor) -> Tensor:
    """Rows [H, W] int32 of the face's table for a conditioning [H, W, 6] uint8."""
    return now[..., 0].int() + 256 * now[..., 1].int()
