"""The compact generator's step arranged for ONNX Runtime on a CPU: the same image in less time.

What costs a CPU most beside the convolutions is moving values about: interpolating maps pixel by pixel,
turning images into floats, taking channels apart and joining them. Here maps are tables of bytes that are looked up,
the first convolutions read the images' own bytes, and pixels are shuffled in rows of channels, as ONNX Runtime's
int8 convolutions lay them out. What then lies between the convolutions ONNX Runtime can do, but a loop over the
pixels does it in a fraction of the time: ``live/generators/cpu_int8.py`` cuts the step at its ``SEAMS``.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.compact_constants import CAMERA_PIXELS, FINE_PATCH, HALF_RANGE, HEAD_EXTENT, MASK_SLOPE, MIDDLE, PATCH
from face.recurrence import CONDITIONING_FRAMES, PREVIOUS_FRAMES
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import image_bytes
from offline.networks.head_warp import head_sampling_grid, implied_camera

_OFFSET = 0.5 / HALF_RANGE  # what an image's byte, whose zero lies at 127.5, stands for beyond that
_FINER = 2  # places per texel of the head's map and direction that a lookup tells apart


class CpuStep(nn.Module):
    """One step on uint8 images ``[H, W, C]``: conditionings at t, t-1, t-2 and outputs at t-1, t-2.

    Args:
        generator: what to arrange; it is left as it is.
    """

    head_table: Tensor
    head_step: Tensor
    face_table: Tensor
    face_step: Tensor
    corrections_factor: Tensor

    @torch.no_grad()
    def __init__(self, generator: CompactGenerator) -> None:
        super().__init__()
        # The NMFC's first two colors are bytes: one row of the table for each pair of them.
        across = (torch.arange(256) / HALF_RANGE - 1).expand(256, 256)
        places = torch.stack([across, across.T], -1)[None]
        face = F.grid_sample(generator.face, places, padding_mode="border", align_corners=False)
        head = F.interpolate(generator.head, scale_factor=_FINER, mode="bilinear", align_corners=False)
        self.head_side = head.shape[2]
        self._add_table("face", face)
        self._add_table("head", head)
        self.generator = copy.deepcopy(generator)
        for encoder, frames in (
            (self.generator.conditioning_encoder, CONDITIONING_FRAMES),
            (self.generator.previous_encoder, PREVIOUS_FRAMES),
        ):
            encoder.quarter[0] = _of_patches(_of_bytes(encoder.quarter[0]), frames)
        detail = _of_bytes(self.generator.detail, 6)
        spans = torch.ones(6), HALF_RANGE * self.head_step, HALF_RANGE * self.face_step
        detail.weight *= torch.cat(spans)[:, None, None]
        self.generator.detail = _of_patches(detail, 1)
        for layers in (self.generator.to_eighth, self.generator.to_quarter, self.generator.to_half):
            layers[0], layers[1] = _by_rows(layers[0]), RowShuffle()
        layers = self.generator.to_corrections
        layers[0], factor = _level(_by_rows(layers[0]))
        layers[1] = ChannelsLast()
        self.register_buffer("corrections_factor", factor)

    def _add_table(self, name: str, layer: Tensor) -> None:
        """Keep a map [1, C, h, w] as rows of bytes [h·w, C], and what one step of a byte in each channel is worth."""
        step = layer.abs().amax((0, 2, 3)).clamp(min=1e-6) / HALF_RANGE
        rows = (layer[0] / step[:, None, None] + MIDDLE).round().clamp(0, 255).permute(1, 2, 0)
        self.register_buffer(f"{name}_table", rows.reshape(-1, len(step)).to(torch.uint8))
        self.register_buffer(f"{name}_step", step)

    def forward(self, now: Tensor, x1: Tensor, x2: Tensor, y1: Tensor, y2: Tensor) -> tuple[Tensor, ...]:
        """Image [H, W, 3] uint8, and the tensors of ``SEAMS``."""
        height, width = now.shape[:2]
        conditioning_patches, output_patches = _patches(PATCH, x2, x1, now), _patches(PATCH, y2, y1)
        implied = implied_camera(now[CAMERA_PIXELS, CAMERA_PIXELS, :3].permute(2, 0, 1)[None].float() / HALF_RANGE - 1)
        history = self.generator.previous_encoder(_channels(output_patches))
        features, camera, depth_map, warp_field = self.generator.consider(
            implied, self.generator.conditioning_encoder(_channels(conditioning_patches)), history
        )
        places = head_sampling_grid(camera, depth_map, warp_field, height)
        head = self.head_table[self._head_rows(places).flatten()].view(height, width, 4)
        face = self.face_table[now[..., 0].int() + 256 * now[..., 1].int()]
        detail_patches = _patches(FINE_PATCH, torch.cat([now, head, face], 2))
        corrections = self.generator.correct(features, _channels(detail_patches))
        mask = torch.clamp(now[..., :3].sum(2) * (MASK_SLOPE / HALF_RANGE), 0, 1)
        image = self.generator.composite(
            mask[None, None],
            (_pixels(corrections) * self.corrections_factor).permute(2, 0, 1)[None],
            _layer(head, self.head_step),
            _layer(face, self.face_step),
        )
        seams = (
            output_patches,
            conditioning_patches,
            implied,
            *history,
            features,
            camera,
            depth_map,
            warp_field,
            detail_patches,
            corrections,
        )
        return image_bytes(image), *seams

    def _head_rows(self, places: Tensor) -> Tensor:
        """Rows [H, W] int32 of the head's table for places [1, 2, H, W]."""
        half = self.head_side / 2
        nearest = (places[0] * (half / HEAD_EXTENT) + half).clamp(0, self.head_side - 1).int()
        return nearest[0] + self.head_side * nearest[1]


class ChannelsLast(nn.Module):
    """Channels as bytes of images have them."""

    def forward(self, x: Tensor) -> Tensor:
        """Channels [B, H, W, C] from [B, C, H, W]."""
        return x.permute(0, 2, 3, 1)


class RowShuffle(nn.Module):
    """A pixel shuffle by 2 for channels [B, 4C, H, W] that lie row, column, channel; see ``_by_rows``."""

    def forward(self, x: Tensor) -> Tensor:
        """Channels [B, C, 2H, 2W]."""
        return _pixels(x.permute(0, 2, 3, 1))[None].permute(0, 3, 1, 2)


def _of_bytes(conv: nn.Module, count: int | None = None) -> nn.Conv2d:
    """A convolution of images that sees what ``_channels`` makes of their bytes, in the first ``count`` channels."""
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    conv.bias += _OFFSET * conv.weight[:, :count].sum((1, 2, 3))
    return conv


def _of_patches(conv: nn.Conv2d, frames: int) -> nn.Conv2d:
    """A convolution that takes some images' patches one by one, for what ``_patches`` gives of them."""
    assert conv.bias is not None
    weight = conv.weight.unflatten(1, (frames, -1)).permute(0, 1, 3, 4, 2).flatten(1)
    return _convolution(weight[:, :, None, None], conv.bias)


def _by_rows(conv: nn.Module) -> nn.Conv2d:
    """The convolution before a pixel shuffle by 2, its outputs in the order row, column, channel."""
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    order = torch.arange(conv.out_channels).view(-1, 4).t().flatten()
    return _convolution(conv.weight[order], conv.bias[order])


def _level(conv: nn.Conv2d) -> tuple[nn.Conv2d, Tensor]:
    """A convolution of ``_by_rows`` whose channels are alike in size, and the factor [C] that undoes it.

    One int8 scale then does for all of them.
    """
    assert conv.bias is not None
    weight, bias = conv.weight.unflatten(0, (4, -1)), conv.bias.view(4, -1)
    factor = torch.linalg.vector_norm(weight, dim=(0, 2, 3, 4)).clamp(min=1e-6)
    return _convolution((weight / factor[:, None, None, None]).flatten(0, 1), (bias / factor).flatten()), factor


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution with odd kernels that keeps an image's size."""
    outputs, inputs, side, _ = weight.shape
    conv = nn.Conv2d(inputs, outputs, side, padding=side // 2)
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv


def _patches(side: int, *images: Tensor) -> Tensor:
    """Patches of images [H, W, C], [H/side, W/side, images · side²·C]: a patch's bytes by row, column, channel."""
    height, width, channels = images[0].shape
    rows = [
        image.view(height // side, side, width // side, side * channels).permute(0, 2, 1, 3).flatten(2)
        for image in images
    ]
    return torch.cat(rows, 2)


def _pixels(patches: Tensor) -> Tensor:
    """Pixels [2H, 2W, C] of patches [1, H, W, 4C]."""
    _, height, width, channels = patches.shape
    rows = patches.view(height, width, 2, -1).permute(0, 2, 1, 3)
    return rows.reshape(2 * height, 2 * width, channels // 4)


def _channels(bytes_: Tensor) -> Tensor:
    """What bytes [H, W, C] stand for, [1, C, H, W]; in int8 that is the bytes, see ``offline/export/int8.py``."""
    return (bytes_[None].permute(0, 3, 1, 2).float() - MIDDLE) / HALF_RANGE


def _layer(rows: Tensor, step: Tensor) -> Tensor:
    """Color and alpha [1, 4, H, W] from bytes [H, W, 4] looked up in a table."""
    return ((rows.float() - MIDDLE) * step)[None].permute(0, 3, 1, 2)
