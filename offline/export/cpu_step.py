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
from torch import Tensor, nn

from face.compact_constants import CAMERA_PIXELS, HALF_RANGE, MASK_SLOPE, PATCH
from face.recurrence import CONDITIONING_FRAMES, PREVIOUS_FRAMES
from offline.export.byte_layers import (
    ChannelsLast,
    RowShuffle,
    by_rows,
    byte_values,
    level_channels,
    of_bytes,
    of_patches,
    smaller,
    table_layer,
    to_patches,
    to_pixels,
)
from offline.export.byte_tables import byte_table, face_rows, finer_maps, head_rows
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import image_bytes
from offline.networks.head_warp import head_sampling_grid, implied_camera


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
        head, face = finer_maps(generator)
        self.head_side = head.shape[2]
        for name, layer in (("face", face), ("head", head)):
            rows, step = byte_table(layer)
            self.register_buffer(f"{name}_table", rows)
            self.register_buffer(f"{name}_step", step)
        self.generator = copy.deepcopy(generator)
        for encoder, frames in (
            (self.generator.conditioning_encoder, CONDITIONING_FRAMES),
            (self.generator.previous_encoder, PREVIOUS_FRAMES),
        ):
            encoder.quarter[0] = of_patches(of_bytes(encoder.quarter[0]), frames)
        detail = of_bytes(self.generator.detail, 6)
        spans = torch.ones(6), HALF_RANGE * self.head_step, HALF_RANGE * self.face_step
        detail.weight *= torch.cat(spans)[:, None, None]
        self.generator.detail = of_patches(detail, 1)
        for layers in (self.generator.to_eighth, self.generator.to_quarter, self.generator.to_half):
            layers[0], layers[1] = by_rows(layers[0]), RowShuffle()
        layers = self.generator.to_corrections
        layers[0], factor = level_channels(by_rows(layers[0], generator.patch))
        layers[1] = ChannelsLast()
        self.register_buffer("corrections_factor", factor)

    def forward(self, now: Tensor, x1: Tensor, x2: Tensor, y1: Tensor, y2: Tensor) -> tuple[Tensor, ...]:
        """Image [H, W, 3] uint8, and the tensors of ``SEAMS``."""
        height, width = now.shape[:2]
        factor, patch = self.generator.size // self.generator.trunk, self.generator.patch
        conditioning_patches, output_patches = (
            to_patches(PATCH, *(smaller(image, factor) for image in images)) for images in ((x2, x1, now), (y2, y1))
        )
        implied = implied_camera(now[CAMERA_PIXELS, CAMERA_PIXELS, :3].permute(2, 0, 1)[None].float() / HALF_RANGE - 1)
        history = self.generator.previous_encoder(byte_values(output_patches))
        features, camera, depth_map, warp_field = self.generator.consider(
            implied, self.generator.conditioning_encoder(byte_values(conditioning_patches)), history
        )
        places = head_sampling_grid(camera, depth_map, warp_field, height)
        head = self.head_table[head_rows(places, self.head_side).flatten()].view(height, width, 4)
        face = self.face_table[face_rows(now)]
        detail_patches = to_patches(patch, torch.cat([now, head, face], 2))
        corrections = self.generator.correct(features, byte_values(detail_patches))
        mask = torch.clamp(now[..., :3].sum(2) * (MASK_SLOPE / HALF_RANGE), 0, 1)
        image = self.generator.composite(
            mask[None, None],
            (to_pixels(corrections, patch) * self.corrections_factor).permute(2, 0, 1)[None],
            table_layer(head, self.head_step),
            table_layer(face, self.face_step),
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
