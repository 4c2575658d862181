"""Corrections of a part of the face at full resolution, in a window that follows it.

Shapes carry a suffix: B batch, C channels, H and W image, h and w window. Images are -1…1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.compact_constants import PATCH, Part
from offline.networks.blocks import zeroed


class PartWindow(nn.Module):
    """A few convolutions that one part of the face has to itself.

    Args:
        part: which.
        size: height and width of the image.
        features: channels at a quarter of the size.
        layers: channels at full size.
        width: channels of its own.
    """

    point: Tensor

    def __init__(self, part: Part, size: int, features: int, layers: int, width: int) -> None:
        super().__init__()
        self.rows, self.columns = part.sides(size)
        self.register_buffer("point", torch.tensor(part.point), persistent=False)
        self.from_features = nn.Sequential(nn.Conv2d(features, PATCH**2 * width, 1), nn.PixelShuffle(PATCH))
        self.detail = nn.Conv2d(layers, width, 3, padding=1)
        self.path = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.to_corrections = nn.Sequential(zeroed(nn.Conv2d(width, 4, 3, padding=1)), nn.Identity())

    def corner(self, camera: Tensor, size: int) -> Tensor:
        """First row and column of the window [B, 2] in px, multiples of a patch, under cameras [B, 8]."""
        place = camera[:, :6].view(-1, 2, 3) @ self.point + camera[:, 6:]
        sides = camera.new_tensor([self.rows, self.columns])
        first = ((place.flip(1) + 1) * (size / 2) - sides / 2) / PATCH
        return (first + 0.5).floor().clamp(min=0).minimum((size - sides) / PATCH) * PATCH

    def forward(self, features: Tensor, layers: Tensor) -> Tensor:
        """What to add to the image's corrections [B, 4, h, w], of the window's features and layers."""
        corrections: Tensor = self.to_corrections(self.path(self.from_features(features) + self.detail(layers)))
        return corrections

    def refine(self, corrections: Tensor, features: Tensor, layers: Tensor, camera: Tensor) -> Tensor:
        """Corrections [B, 4, H, W] of an image, and within the window those of the part.

        Args:
            corrections: of the image.
            features: [B, C, H/4, W/4].
            layers: [B, C, H, W].
            camera: [B, 8], which the window follows.
        """
        size = layers.shape[2]
        corner = self.corner(camera.detach(), size)
        rows, columns = self.rows, self.columns
        window = self(
            _cut(features, corner / PATCH, rows // PATCH, columns // PATCH), _cut(layers, corner, rows, columns)
        )
        return corrections + _cut(window, -corner, size, size)


def _cut(images: Tensor, corner: Tensor, rows: int, columns: int) -> Tensor:
    """A rectangle of images, zero beyond their border, [B, C, rows, columns] of [B, C, H, W].

    Pixels are copied by a sampling of the nearest: TensorRT has no slice that begins where the data say.
    """
    height, width = images.shape[2:]
    down = (2 * (torch.arange(rows, device=images.device) + corner[:, :1]) + 1) / height - 1
    across = (2 * (torch.arange(columns, device=images.device) + corner[:, 1:]) + 1) / width - 1
    grid = torch.stack([across[:, None, :].expand(-1, rows, -1), down[:, :, None].expand(-1, -1, columns)], dim=-1)
    return F.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)
