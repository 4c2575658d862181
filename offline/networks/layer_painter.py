"""How the generators for a CPU make an image of their layers: looked up, corrected, composited.

Shapes carry a suffix: B batch, C channels, H and W image. Images are -1…1 inside the networks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FACE_TEXELS, HEAD_TEXELS, DEPTH_TEXELS = 256, 352, 32
LAYER_CHANNELS = 6 + 4 + 4  # conditioning, head, face


class LayerPainter(nn.Module):
    """A background, a head and a face, each corrected by what convolutions make of features and layers.

    Attributes:
        backdrop: the background, [1, 3, H, W].
        to_half, detail, at_half: convolutions of the features, of the layers, and of their sum.
        to_corrections: what makes the image's corrections of that.
    """

    backdrop: nn.Parameter
    to_half: nn.Sequential
    detail: nn.Conv2d
    at_half: nn.Sequential
    to_corrections: nn.Sequential

    def background(self, size: int) -> Tensor:
        """The background [1, 3, size, size] of an image of a size that the network makes."""
        return self.backdrop

    def correct(self, features: Tensor, layers: Tensor) -> Tensor:
        """What to add to the layers' colors and alphas (before the sigmoid), [B, 4, H, W].

        Args:
            features: as ``consider`` gives them.
            layers: the newest conditioning, head and face, [B, 6 + 4 + 4, H, W].
        """
        corrections: Tensor = self.to_corrections(self.at_half(self.to_half(features) + self.detail(layers)))
        return corrections

    def composite(self, mask: Tensor, corrections: Tensor, head: Tensor, face: Tensor) -> Tensor:
        """Image [B, 3, H, W]: the corrected layers, composited.

        Args:
            mask: 1 where there is a face, [B, 1, H, W].
            corrections: as ``correct`` gives them.
            head: color and alpha of that layer, [B, 4, H, W].
            face: the same of that one.
        """
        background = self.background(int(corrections.shape[2]))
        image = background + torch.sigmoid(head[:, 3:] + corrections[:, 3:]) * (head[:, :3] - background)
        face_coverage = torch.sigmoid(face[:, 3:] + corrections[:, 3:]) * mask
        return image + face_coverage * (face[:, :3] - image) + corrections[:, :3]


def sample(texture: Tensor, places: Tensor) -> Tensor:
    """Texture [1 or B, C, h, w] at places [B, 2, H, W] (across, down as stored; -1…1), [B, C, H, W]."""
    texture = texture.expand(places.shape[0], -1, -1, -1)
    return F.grid_sample(texture, places.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
