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
ATLAS_CHANNELS, ATLAS_SIZE = 8, 192  # RGB, coverage, and four for the network to read
HEAD_PLANE = -2.0  # depth in the face's coordinates (NMFC blue: nose 1, ears -1)
HEAD_EXTENT = 2.0  # the head's half of the atlas reaches twice as far as the face on every side


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
    """Eq. 4 for two processor cores: ``ỹ_t = G(x_{t-2:t}, ỹ_{t-2:t-1})`` at about 3.5 GFLOP a frame (256²).

    Two encoders whose features are added, one decoder with skips. What need not be computed is remembered: a
    backdrop that does not move, and an *atlas*, one learned picture of the head that is looked up at each pixel's
    place on the head. On the face that place is the NMFC's colour; for hair, ears and neck the face's coordinates go
    on as a plane would, bent by the network. The layers are blended by a learned coverage; the network adds the rest:
    shading, mouth, eyes, whatever moves by itself. Sharp detail is there from the first minutes of training, and
    moves with the head instead of being painted anew. No normalisation layer: nothing depends on the statistics of
    a frame, and 8-bit quantisation stays simple.

    Args:
        size: height and width of the picture it is trained for, a multiple of 16.
    """

    def __init__(self, size: int = 256, widths: tuple[int, int, int] = (48, 80, 160), fine: int = 24) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.conditioning_encoder = Encoder(6 * CONDITIONING_FRAMES, widths)
        self.previous_encoder = Encoder(3 * PREVIOUS_FRAMES, widths)
        self.place_sixteenth = nn.Parameter(torch.zeros(1, sixteenth, size // 16, size // 16))
        self.place_quarter = nn.Parameter(torch.zeros(1, quarter, size // 4, size // 4))
        self.middle = nn.Sequential(*[ResidualBlock(sixteenth) for _ in range(3)])
        self.to_eighth = nn.Sequential(nn.Conv2d(sixteenth, 4 * eighth, 1), nn.PixelShuffle(2))
        self.at_eighth = nn.Sequential(ResidualBlock(eighth), ResidualBlock(eighth))
        last = nn.Conv2d(32, 2, 1)
        nn.init.zeros_(last.weight)
        last.bias = nn.Parameter(torch.zeros(2))
        self.to_bend = nn.Sequential(nn.Conv2d(eighth, 32, 3, padding=1), nn.ReLU(), last)
        self.to_quarter = nn.Sequential(nn.Conv2d(eighth, 4 * quarter, 1), nn.PixelShuffle(2))
        self.at_quarter = nn.Sequential(nn.Conv2d(quarter, quarter, 3, padding=1), nn.ReLU(), ResidualBlock(quarter))
        self.to_half = nn.Sequential(nn.Conv2d(quarter, 4 * (fine // 2), 1), nn.PixelShuffle(2))
        self.atlas = nn.Parameter(torch.zeros(1, ATLAS_CHANNELS, ATLAS_SIZE, 2 * ATLAS_SIZE))
        self.backdrop = nn.Parameter(torch.zeros(1, 3, size, size))
        seen = 4 * (6 + ATLAS_CHANNELS)
        self.detail = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(seen, fine, 3, padding=1), nn.ReLU())
        self.at_half = nn.Sequential(nn.Conv2d(fine + fine // 2, fine, 3, padding=1), nn.ReLU())
        self.to_corrections = nn.Sequential(nn.Conv2d(fine, 4 * 4, 3, padding=1), nn.PixelShuffle(2))

    def remembered(self) -> list[nn.Parameter]:
        """The maps looked up rather than computed; they bear a higher learning rate than weights."""
        return [self.atlas, self.backdrop, self.place_quarter, self.place_sixteenth]

    def forward(self, conditioning: Tensor, previous: Tensor) -> Tensor:
        """Picture [B, 3, H, W] from conditionings [B, 18, H, W] (oldest first) and outputs [B, 6, H, W]."""
        x_quarter, x_eighth, x_sixteenth = self.conditioning_encoder(conditioning)
        y_quarter, y_eighth, y_sixteenth = self.previous_encoder(previous)
        features = self.middle(x_sixteenth + y_sixteenth + _sized(self.place_sixteenth, x_sixteenth))
        features = self.at_eighth(self.to_eighth(features) + x_eighth + y_eighth)
        bend = self.to_bend(features)
        features = self.to_quarter(features) + x_quarter + y_quarter + _sized(self.place_quarter, x_quarter)
        features = self.at_quarter(features)

        now = conditioning[:, -6:]
        grid = atlas_grid(now, bend)
        atlas = self.atlas.expand(now.shape[0], -1, -1, -1)
        head = F.grid_sample(atlas, grid, padding_mode="border", align_corners=False)
        detail = self.detail(torch.cat([now, head], dim=1))
        corrections = self.to_corrections(self.at_half(torch.cat([self.to_half(features), detail], dim=1)))
        coverage = torch.sigmoid(head[:, 3:4] + corrections[:, 3:4])
        backdrop = _sized(self.backdrop, now)
        return backdrop + coverage * (head[:, :3] - backdrop) + corrections[:, :3]


def face_mask(conditioning: Tensor) -> Tensor:
    """1 where the NMFC shows the face, else 0, [B, 1, H, W], of conditionings [B, 6, H, W]; its background is -1."""
    return torch.clamp((conditioning[:, :3].sum(1, keepdim=True) + 3) * 64, 0, 1)


def atlas_grid(conditioning: Tensor, bend: Tensor | None) -> Tensor:
    """Where in the atlas each pixel looks, [B, H, W, 2], -1…1 as ``grid_sample`` has it.

    The atlas's left half is the face, looked up at the NMFC's red and green (across and up). The right half is the
    rest of the head, in the same coordinates, which there reach to ``HEAD_EXTENT``:
    the affine camera that the NMFC implies (least squares of
    the pixels' places over its three coordinates) projects each pixel back to a plane behind the face, parallel to
    it: where, more or less, hair ends against the backdrop.

    Args:
        conditioning: [B, 6, H, W].
        bend: what to add beyond the face, [B, 2, H/8, W/8], or nothing.
    """
    on_face = face_mask(conditioning)
    height, width = conditioning.shape[2:]
    x = torch.linspace(-1 + 1 / width, 1 - 1 / width, width, device=on_face.device).expand(1, 1, height, -1)
    y = torch.linspace(-1 + 1 / height, 1 - 1 / height, height, device=on_face.device)[:, None].expand(1, 1, -1, width)
    weight = on_face / (on_face.mean((2, 3), keepdim=True) + 1e-4)
    mean = lambda v: (v * weight).mean((2, 3), keepdim=True)  # noqa: E731
    centre = mean(conditioning[:, :3])
    x, y = x - mean(x), y - mean(y)
    u, v, w = (conditioning[:, :3] - centre).split(1, dim=1)
    uu, vv, ww = mean(u * u) + 1e-4, mean(v * v) + 1e-4, mean(w * w) + 1e-4
    uv, uw, vw = mean(u * v), mean(u * w), mean(v * w)
    # Rows of the camera: the symmetric 3x3 equations by Cramer's rule, their common determinant cancels below
    # for all but depth, which is divided by it.
    c_uu, c_vv, c_ww = vv * ww - vw * vw, uu * ww - uw * uw, uu * vv - uv * uv
    c_uv, c_uw, c_vw = uw * vw - uv * ww, uv * vw - uw * vv, uv * uw - vw * uu
    determinant = uu * c_uu + uv * c_uv + uw * c_uw

    def row(place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pu, pv, pw = mean(place * u), mean(place * v), mean(place * w)
        return (
            (c_uu * pu + c_uv * pv + c_uw * pw) / determinant,
            (c_uv * pu + c_vv * pv + c_vw * pw) / determinant,
            (c_uw * pu + c_vw * pv + c_ww * pw) / determinant,
        )

    (xu, xv, xw), (yu, yv, yw) = row(x), row(y)
    depth = HEAD_PLANE - centre[:, 2:3]
    x, y = x - xw * depth, y - yw * depth
    area = xu * yv - xv * yu
    beyond = torch.cat([(x * yv - y * xv) / area, (y * xu - x * yu) / area], dim=1) + centre[:, :2]
    if bend is not None:
        beyond = beyond + F.interpolate(bend, scale_factor=8.0, mode="bilinear", align_corners=False)
    limit = 1 - 1 / ATLAS_SIZE  # keeps off the seam between the halves
    beyond = torch.clamp(beyond / HEAD_EXTENT, -limit, limit)
    place = conditioning[:, :2] * (limit * on_face) + beyond * (1 - on_face)
    half = torch.cat([0.5 * place[:, :1] + 0.5 - on_face, place[:, 1:]], dim=1)
    return half.permute(0, 2, 3, 1)


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
