"""The compact generator's step arranged for ONNX Runtime on a processor: the same picture in less time.

What costs a processor most beside the convolutions is moving values about: interpolating maps pixel by pixel,
turning pictures into floats, taking channels apart and joining them. Here maps are tables of bytes that are looked up,
the first convolutions read the pictures' own bytes, and pixels are shuffled in rows of channels, as ONNX Runtime's
8-bit convolutions lay them out.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.recurrence import CONDITIONING_FRAMES, PREVIOUS_FRAMES
from offline.compact import CompactGenerator, Encoder
from offline.layers import CAMERA_PIXELS, HEAD_EXTENT, MASK_SLOPE
from offline.step import picture_bytes

MIDDLE, HALF_RANGE = 128, 127.5  # a byte stands for (byte - MIDDLE) / HALF_RANGE
_OFFSET = 0.5 / HALF_RANGE  # what a picture's byte, whose zero lies at 127.5, stands for beyond that
_FINER = 2  # places per texel of the head's map and direction that a lookup tells apart
_PATCH = 4  # px, side of the patches that the encoders' first convolutions see
_SPARE = 2  # channels after the face's, so that there are sixteen: fourteen take a third more time


class ProcessorStep(nn.Module):
    """One step on uint8 pictures ``[H, W, C]``: conditionings at t, t-1, t-2 and outputs at t-1, t-2.

    Args:
        generator: what to arrange; it is left as it is.
    """

    @torch.no_grad()
    def __init__(self, generator: CompactGenerator) -> None:
        super().__init__()
        # The NMFC's first two colours are bytes: one row of the table for each pair of them.
        across = (torch.arange(256) / HALF_RANGE - 1).expand(256, 256)
        places = torch.stack([across, across.T], -1)[None]
        face = F.grid_sample(generator.face, places, padding_mode="border", align_corners=False)
        head = F.interpolate(generator.head, scale_factor=_FINER, mode="bilinear", align_corners=False)
        self.head_side = head.shape[2]
        self.face_table, self.face_span = _table(F.pad(face, (0, 0, 0, 0, 0, _SPARE)))
        self.head_table, self.head_span = _table(head)
        # From a conditioning: the row of the face's table, and what tells the face from the background.
        row, face_sum = torch.tensor([1.0, 256, 0, 0, 0, 0]), MASK_SLOPE * torch.eye(3, 6).sum(0) / HALF_RANGE
        self.read = torch.stack([row, face_sum])
        self.generator = copy.deepcopy(generator)
        _read_patches(self.generator.conditioning_encoder, CONDITIONING_FRAMES)
        _read_patches(self.generator.previous_encoder, PREVIOUS_FRAMES)
        detail = self.generator.detail
        assert detail.bias is not None
        detail.bias += _OFFSET * detail.weight[:, :6].sum((1, 2, 3))
        detail.weight *= torch.cat([torch.ones(6), self.head_span, self.face_span[:4]])[:, None, None]
        detail.weight = nn.Parameter(F.pad(detail.weight, (0, 0, 0, 0, 0, _SPARE)))
        for layers in (self.generator.to_eighth, self.generator.to_quarter, self.generator.to_half):
            layers[0], layers[1] = _by_rows(layers[0]), RowShuffle()
        layers = self.generator.to_corrections
        layers[0], factors = _level(_by_rows(layers[0]))
        layers[1] = RowShuffle(factors)

    def forward(self, now: Tensor, x1: Tensor, x2: Tensor, y1: Tensor, y2: Tensor) -> Tensor:
        """Picture [H, W, 3] uint8."""
        height, width = now.shape[:2]
        told, made = _patches(x2, x1, now), _patches(y2, y1)
        read = _planes(now.view(-1, 6), self.read, torch.zeros(2))
        row, mask = read[0].int(), read[1].clamp(0, 1).view(1, 1, height, width)
        seen = now[CAMERA_PIXELS, CAMERA_PIXELS, :3].permute(2, 0, 1)[None].float() / HALF_RANGE - 1
        features, places = self.generator.consider(seen, told, made)
        head = torch.index_select(self.head_table, 0, self._head_rows(places).flatten())
        face = torch.index_select(self.face_table, 0, row)
        shown = torch.cat([now, head.view(height, width, 4), face.view(height, width, 4 + _SPARE)], 2)
        detail = self.generator.detail(_centred(shown[None].permute(0, 3, 1, 2)))
        head, face = (
            _planes(rows, span.diag()[:4] / HALF_RANGE, -MIDDLE / HALF_RANGE * span[:4]).view(1, 4, height, width)
            for rows, span in ((head, self.head_span), (face, self.face_span))
        )
        picture = self.generator.paint(mask, features, detail, head, face)
        return picture_bytes(picture)

    def _head_rows(self, places: Tensor) -> Tensor:
        """Rows [H, W] int32 of the head's table for places [1, 2, H, W]."""
        half = self.head_side / 2
        nearest = (places[0] * (half / HEAD_EXTENT) + half).clamp(0, self.head_side - 1).int()
        return nearest[0] + self.head_side * nearest[1]


class RowShuffle(nn.Module):
    """A pixel shuffle by 2 for channels [B, 4C, H, W] that lie row, column, channel; see ``_by_rows``.

    Args:
        factors: give planes in one piece, for arithmetic, times these [C]; else it is left to ONNX Runtime to keep
            channels together.
    """

    def __init__(self, factors: Tensor | None = None) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        """Channels [B, C, 2H, 2W]."""
        _, channels, height, width = x.shape
        count = channels // 4
        rows = x.permute(0, 2, 3, 1).reshape(height, width, 2, 2 * count).permute(0, 2, 1, 3)
        if self.factors is not None:
            planes = _planes(rows.reshape(-1, count), self.factors.diag(), torch.zeros(count))
            return planes.view(1, count, 2 * height, 2 * width)
        return rows.reshape(1, 2 * height, 2 * width, count).permute(0, 3, 1, 2)


def _read_patches(encoder: Encoder, frames: int) -> None:
    """Let an encoder's first convolution see what ``_patches`` gives of some frames."""
    first = encoder.quarter[0]
    assert isinstance(first, nn.Conv2d) and first.bias is not None
    weight = first.weight.unflatten(1, (frames, -1)).permute(0, 1, 3, 4, 2).flatten(1)
    encoder.quarter[0] = _convolution(weight[:, :, None, None], first.bias + _OFFSET * weight.sum(1))


def _by_rows(conv: nn.Module) -> nn.Conv2d:
    """The convolution before a pixel shuffle by 2, its outputs in the order row, column, channel."""
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    order = torch.arange(conv.out_channels).view(-1, 4).t().flatten()
    return _convolution(conv.weight[order], conv.bias[order])


def _level(conv: nn.Conv2d) -> tuple[nn.Conv2d, Tensor]:
    """A convolution of ``_by_rows`` whose channels are alike in size, and the factors [C] that undo it.

    One scale of eight bits then does for all of them.
    """
    assert conv.bias is not None
    weight, bias = conv.weight.unflatten(0, (4, -1)), conv.bias.view(4, -1)
    factors = torch.linalg.vector_norm(weight, dim=(0, 2, 3, 4)).clamp(min=1e-6)
    return _convolution((weight / factors[:, None, None, None]).flatten(0, 1), (bias / factors).flatten()), factors


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution with odd kernels that keeps a picture's size."""
    outputs, inputs, side, _ = weight.shape
    conv = nn.Conv2d(inputs, outputs, side, padding=side // 2)
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv


def _table(layer: Tensor) -> tuple[Tensor, Tensor]:
    """A map [1, C, h, w] as rows of bytes [h·w, C], and the value [C] that a byte of 255 stands for."""
    span = layer.abs().amax((0, 2, 3)).clamp(min=1e-6)
    rows = (layer[0] / span[:, None, None] * HALF_RANGE + MIDDLE).round().clamp(0, 255)
    return rows.permute(1, 2, 0).reshape(-1, len(span)).to(torch.uint8), span


def _patches(*pictures: Tensor) -> Tensor:
    """Patches of pictures [H, W, C] as channels [1, pictures · 16C, H/4, W/4], a patch's by row, column, channel."""
    height, width, channels = pictures[0].shape
    rows = [
        one.view(height // _PATCH, _PATCH, width // _PATCH, _PATCH * channels).permute(0, 2, 1, 3).flatten(2)
        for one in pictures
    ]
    return _centred(torch.cat(rows, 2)[None].permute(0, 3, 1, 2))


def _centred(bytes_: Tensor) -> Tensor:
    """What bytes stand for; in eight bits it is the bytes themselves, see ``offline/quantise.py``."""
    return (bytes_.float() - MIDDLE) / HALF_RANGE


def _planes(rows: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Planes [K, N] from rows [N, C]: ``matrix · rowsᵀ + offset`` for a matrix [K, C] and an offset [K].

    As one matrix product, because ONNX Runtime would rather carry rows through all the arithmetic that follows than
    transpose them, and its arithmetic on rows is ten times slower.
    """
    return torch.addmm(offset[:, None], matrix, rows.float().t())
