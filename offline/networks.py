"""The generator's and the discriminators' networks.

Shapes carry a suffix: B batch, C channels, H and W picture. Pictures are -1…1 inside the networks.
Only plain convolutions, pixel (un)shuffle, grid sampling and activations, so that TensorRT needs no plugin.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONDITIONING_FRAMES = 3  # x_{t-2…t} of Eq. 4
PREVIOUS_FRAMES = 2  # ỹ_{t-2…t-1}
TEXTURE_CHANNELS, TEXTURE_SIZE = 8, 128


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions on a residual path that starts at zero, so that depth does no harm early on."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        self.second.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class Encoder(nn.Module):
    """One of Eq. 4's two encoders: picture stack to features at a quarter, an eighth and a sixteenth of its size."""

    def __init__(self, channels: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(16 * channels, quarter, 1),
            nn.ReLU(),
            nn.Conv2d(quarter, quarter, 3, padding=1),
            nn.ReLU(),
        )
        self.eighth = nn.Sequential(nn.Conv2d(quarter, eighth, 3, stride=2, padding=1), nn.ReLU())
        self.sixteenth = nn.Sequential(
            ResidualBlock(eighth), nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1), nn.ReLU()
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quarter = self.stem(x)
        eighth = self.eighth(quarter)
        return quarter, eighth, self.sixteenth(eighth)


class CompactGenerator(nn.Module):
    """Eq. 4 for two processor cores: ``ỹ_t = G(x_{t-2:t}, ỹ_{t-2:t-1})`` at about 3.2 GFLOP a frame (256²).

    Two encoders whose features are added, one decoder with skips. What need not be computed is remembered: two
    learned maps over the picture hold what does not move (backdrop, clothes), and a learned texture, looked up at
    the NMFC's colours (they are places on the face), hands over skin, brows and lips. No normalisation layer:
    nothing depends on the statistics of a frame, and 8-bit quantisation stays simple.

    Args:
        size: height and width of the picture it is trained for, a multiple of 16.
    """

    def __init__(self, size: int = 256, widths: tuple[int, int, int] = (48, 80, 160), fine: int = 24) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.conditioning_encoder = Encoder(6 * CONDITIONING_FRAMES, widths)
        self.previous_encoder = Encoder(3 * PREVIOUS_FRAMES, widths)
        self.place_quarter = nn.Parameter(torch.zeros(1, quarter, size // 4, size // 4))
        self.place_half = nn.Parameter(torch.zeros(1, fine // 2, size // 2, size // 2))
        self.middle = nn.Sequential(*[ResidualBlock(sixteenth) for _ in range(3)])
        self.to_eighth = nn.Sequential(nn.Conv2d(sixteenth, 4 * eighth, 1), nn.PixelShuffle(2))
        self.at_eighth = nn.Sequential(ResidualBlock(eighth), ResidualBlock(eighth))
        self.to_quarter = nn.Sequential(nn.Conv2d(eighth, 4 * quarter, 1), nn.PixelShuffle(2))
        self.at_quarter = nn.Sequential(nn.Conv2d(quarter, quarter, 3, padding=1), nn.ReLU(), ResidualBlock(quarter))
        self.to_half = nn.Sequential(nn.Conv2d(quarter, 4 * (fine - fine // 2), 1), nn.PixelShuffle(2))
        self.texture = nn.Parameter(torch.zeros(1, TEXTURE_CHANNELS, TEXTURE_SIZE, TEXTURE_SIZE))
        detailed = 4 * (6 + TEXTURE_CHANNELS)
        self.detail = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(detailed, fine // 2, 3, padding=1), nn.ReLU())
        self.at_half = nn.Sequential(nn.Conv2d(fine + fine // 2, fine, 3, padding=1), nn.ReLU())
        self.to_picture = nn.Sequential(nn.Conv2d(fine, 12, 3, padding=1), nn.PixelShuffle(2), nn.Tanh())

    def forward(self, conditioning: Tensor, previous: Tensor) -> Tensor:
        """Picture [B, 3, H, W] from conditionings [B, 18, H, W] (oldest first) and outputs [B, 6, H, W]."""
        x_quarter, x_eighth, x_sixteenth = self.conditioning_encoder(conditioning)
        y_quarter, y_eighth, y_sixteenth = self.previous_encoder(previous)
        features = self.middle(x_sixteenth + y_sixteenth)
        features = self.at_eighth(self.to_eighth(features) + x_eighth + y_eighth)
        features = self.to_quarter(features) + x_quarter + y_quarter + _sized(self.place_quarter, x_quarter)
        features = self.at_quarter(features)
        now = conditioning[:, -6:]
        grid = now[:, :2].permute(0, 2, 3, 1)  # NMFC red and green: across and up the face
        texture = self.texture.expand(now.shape[0], -1, -1, -1)
        on_face = F.grid_sample(texture, grid, padding_mode="border", align_corners=False)
        detail = self.detail(torch.cat([now, on_face], dim=1))
        half = _sized(self.place_half, detail).expand(detail.shape[0], -1, -1, -1)
        return self.to_picture(self.at_half(torch.cat([self.to_half(features), detail, half], dim=1)))


def _sized(place: Tensor, like: Tensor) -> Tensor:
    """A learned map at the size of some features; they differ only while training on smaller pictures."""
    height, width = like.shape[2:]
    return place if place.shape[2:] == (height, width) else F.adaptive_avg_pool2d(place, (height, width))


class PatchDiscriminator(nn.Module):
    """pix2pixHD's PatchGAN: judges overlapping patches of (conditioning, picture).

    Args:
        channels: channels of what it judges.
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
    """Patch discriminators on the picture and on its half-size copy."""

    def __init__(self, channels: int, width: int = 64, layers: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList([PatchDiscriminator(channels, width, layers) for _ in range(scales)])

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Features per scale, finest first."""
        found = []
        for scale in self.scales:
            found.append(scale(x))
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return found
