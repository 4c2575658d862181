"""The layered generator's step arranged for ONNX Runtime on a CPU: the same image in less time.

As ``offline/export/cpu_step.py`` does for the compact one. Bases are added to what is looked up in the tables of means;
``live/generators/layered_int8.py`` cuts the step at its ``LAYERED_SEAMS``.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.compact_constants import CAMERA_PIXELS, FINE_PATCH, HALF_RANGE, HEAD_EXTENT, MASK_SLOPE, MIDDLE, PARTS, PATCH
from offline.export.byte_layers import (
    ChannelsLast,
    RowShuffle,
    by_rows,
    byte_values,
    level_channels,
    of_bytes,
    of_patches,
    table_layer,
    to_patches,
    to_pixels,
)
from offline.export.byte_tables import byte_table, face_rows, finer_maps, head_rows
from offline.networks.exported_step import image_bytes
from offline.networks.head_warp import head_sampling_grid, implied_camera
from offline.networks.layered_generator import BASES, LayeredGenerator, mix
from offline.networks.part_corrections import PartWindow


class LayeredStep(nn.Module):
    """One step on uint8 images ``[H, W, C]``: conditionings at t, t-1, t-2 and outputs at t-1, t-2.

    Args:
        generator: what to arrange; it is left as it is.
    """

    head_table: Tensor
    head_step: Tensor
    face_table: Tensor
    face_step: Tensor

    @torch.no_grad()
    def __init__(self, generator: LayeredGenerator) -> None:
        super().__init__()
        head, face = finer_maps(generator)
        self.head_side = head.shape[2]
        self._add_table("face", face, generator.face_bases)
        self._add_table("head", head, generator.head_bases)
        self.generator = copy.deepcopy(generator)
        self.generator.encoder.quarter[0] = of_patches(of_bytes(self.generator.encoder.quarter[0], 6))
        spans = torch.cat([torch.ones(6), HALF_RANGE * self.head_step, HALF_RANGE * self.face_step])
        self.generator.detail = of_patches(_of_layers(self.generator.detail, spans))
        for layers in (self.generator.to_eighth, self.generator.to_quarter, self.generator.to_half):
            layers[0], layers[1] = by_rows(layers[0]), RowShuffle()
        self.generator.to_corrections[0] = by_rows(self.generator.to_corrections[0])
        self._level("corrections", self.generator.to_corrections)
        for name, window in self.generator.windows.items():
            assert isinstance(window, PartWindow)
            window.detail = _of_layers(window.detail, spans)
            window.from_features[0] = by_rows(window.from_features[0], PATCH)
            window.from_features[1] = RowShuffle(PATCH)
            self._level(f"{name}_corrections", window.to_corrections)

    def _level(self, name: str, layers: nn.Sequential) -> None:
        """Have a convolution put out bytes as images have them, alike in size, and keep the factor that undoes that."""
        layers[0], factor = level_channels(layers[0])
        layers[1] = ChannelsLast()
        self.register_buffer(f"{name}_factor", factor)

    def _add_table(self, name: str, mean: Tensor, bases: Tensor) -> None:
        """Keep maps as rows of bytes, and what one step of a byte is worth.

        Args:
            name: of the layer.
            mean: [1, C, h, w], kept as ``NAME_table`` [h·w, C] with a step for each channel.
            bases: [K, 4·h'·h'], kept as signed bytes ``NAME_bases`` [K, h', h', 4]; ``NAME_worth`` [K] says how many
                steps of the table one of theirs is worth.
        """
        rows, step = byte_table(mean)
        self.register_buffer(f"{name}_table", rows)
        self.register_buffer(f"{name}_step", step)
        maps = mix(bases, torch.eye(len(bases))) / step[:, None, None]
        worth = maps.abs().amax((1, 2, 3)).clamp(min=1e-6) / (MIDDLE - 1)
        signed = (maps / worth[:, None, None, None]).round().permute(0, 2, 3, 1)
        self.register_buffer(f"{name}_bases", signed.to(torch.int8).contiguous())
        self.register_buffer(f"{name}_worth", worth)

    def forward(self, now: Tensor, x1: Tensor, x2: Tensor, y1: Tensor, y2: Tensor) -> tuple[Tensor, ...]:
        """Image [H, W, 3] uint8, and the tensors of ``LAYERED_SEAMS``."""
        height = now.shape[0]
        patches = to_patches(PATCH, now)
        implied = implied_camera(now[CAMERA_PIXELS, CAMERA_PIXELS, :3].permute(2, 0, 1)[None].float() / HALF_RANGE - 1)
        features, camera, depth_map, warp_field, mixture = self.generator.consider(
            implied, self.generator.encoder(byte_values(patches))
        )
        places = head_sampling_grid(camera, depth_map, warp_field, height)
        for_head, for_face = mixture[:, :BASES], mixture[:, BASES:]
        head, face = self._head(places, for_head), self._face(now, for_face)
        pixels = torch.cat([now, head, face], 2)
        layers = to_patches(FINE_PATCH, pixels)
        corrections = self.generator.correct(features, byte_values(layers))
        total, windows = self._refine(to_pixels(corrections) * self.get_buffer("corrections_factor"), implied,
                                      features[0].permute(1, 2, 0), pixels)  # fmt: skip
        mask = torch.clamp(now[..., :3].sum(2) * (MASK_SLOPE / HALF_RANGE), 0, 1)
        layers_of = table_layer(head, self.head_step), table_layer(face, self.face_step)
        image = self.generator.composite(mask[None, None], total.permute(2, 0, 1)[None], *layers_of)
        considered = patches, implied, features, camera, depth_map, warp_field, mixture
        return image_bytes(image), *considered, layers, corrections, *windows

    def _head(self, places: Tensor, weights: Tensor) -> Tensor:
        """The head's layer [H, W, 4] in bytes at places [1, 2, H, W]."""
        mean = self.head_table[head_rows(places, self.head_side).flatten()].view(*places.shape[2:], 4)
        return self._with_bases("head", mean, places / HEAD_EXTENT, weights)

    def _face(self, now: Tensor, weights: Tensor) -> Tensor:
        """The face's layer [H, W, 4] in bytes at the NMFC's colors."""
        mean = self.face_table[face_rows(now)]
        return self._with_bases("face", mean, now[..., :2].permute(2, 0, 1)[None].float() / HALF_RANGE - 1, weights)

    def _with_bases(self, name: str, mean: Tensor, places: Tensor, weights: Tensor) -> Tensor:
        """A layer's bytes [H, W, 4] with its bases, weighted [1, K], at places [1, 2, H, W]."""
        bases, worth = self.get_buffer(f"{name}_bases"), self.get_buffer(f"{name}_worth")
        mixed = ((weights * worth) @ bases.float().flatten(1)).view(1, *bases.shape[1:]).permute(0, 3, 1, 2)
        grid = places.permute(0, 2, 3, 1)
        more = F.grid_sample(mixed, grid, padding_mode="border", align_corners=False)
        return (mean.float() + more[0].permute(1, 2, 0) + 0.5).clamp(0, 255).to(torch.uint8)

    def _refine(
        self, total: Tensor, implied: Tensor, features: Tensor, pixels: Tensor
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """Corrections [H, W, 4] with those of the windows, and the windows' seams.

        Args:
            total: corrections of the image.
            implied: the camera that the NMFC implies, [1, 8].
            features: [H/4, W/4, C].
            pixels: of the layers, bytes [H, W, 14].
        """
        seams: list[Tensor] = []
        for part in PARTS:
            window = self.generator.windows[part.name]
            assert isinstance(window, PartWindow)
            corner = window.corner(implied, total.shape[0])[0].int()
            its_features = _cut(features, corner // PATCH, window.rows // PATCH, window.columns // PATCH)
            its_pixels = _cut(pixels, corner, window.rows, window.columns)
            refined = window(its_features.permute(2, 0, 1)[None], byte_values(its_pixels))
            factor = self.get_buffer(f"{part.name}_corrections_factor")
            total = total + _put(refined[0] * factor, corner, *total.shape[:2])
            seams += [its_features, its_pixels, refined]
        return total, seams


def _of_layers(conv: nn.Conv2d, spans: Tensor) -> nn.Conv2d:
    """A convolution of the layers that sees their bytes, half of whose range is worth ``spans`` [C]."""
    conv = of_bytes(conv, 6)
    conv.weight *= spans[:, None, None]
    return conv


def _cut(image: Tensor, corner: Tensor, rows: int, columns: int) -> Tensor:
    """A rectangle [rows, columns, C] of an image [H, W, C]; its corner [2] is row and column."""
    return image[corner[0] + torch.arange(rows)][:, corner[1] + torch.arange(columns)]


def _put(window: Tensor, corner: Tensor, height: int, width: int) -> Tensor:
    """An image [height, width, C] that is zero but for a window [rows, columns, C]."""
    rows, columns = window.shape[:2]
    framed = F.pad(window, (0, 0, 1, 1, 1, 1))
    down = (torch.arange(height) - corner[0] + 1).clamp(0, rows + 1)
    across = (torch.arange(width) - corner[1] + 1).clamp(0, columns + 1)
    return framed[down][:, across]
