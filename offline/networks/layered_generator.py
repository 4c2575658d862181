"""The layered profile's generator, for two CPU cores: the compact one's successor.

Shapes carry a suffix: B batch, C channels, H and W image. Images are -1…1 inside the networks.
Only convolutions, grid sampling, resizing and activations, so that TensorRT needs no plugin.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from face.compact_constants import CAMERA_PIXELS, FINE_PATCH, HEAD_EXTENT, PARTS
from offline.networks.blocks import Encoder, ResidualBlock, zeroed
from offline.networks.head_warp import CAMERA_NUMBERS, face_mask, head_sampling_grid, implied_camera
from offline.networks.layer_painter import DEPTH_TEXELS, FACE_TEXELS, HEAD_TEXELS, LAYER_CHANNELS, LayerPainter, sample
from offline.networks.part_corrections import PartWindow

FACE_BASIS_TEXELS, HEAD_BASIS_TEXELS = FACE_TEXELS // 2, HEAD_TEXELS // 2
BASES = 12  # of either texture
_CONTEXT = 96
_POSES = 16  # numbers by which the depth map depends on the pose
_POOLED = 4  # cells along either axis whose features the context sees


class LayeredGenerator(LayerPainter):
    """A generator for two CPU cores: ``ỹ_t = G(x_t)`` at about 1.6 GFLOP a frame (256²).

    What need not be computed is a learned texture, in three layers that are composited by their alpha: a background
    (``backdrop``) that does not move; the *head*, on a learned depth map (``relief``: hair, ears, neck), seen through
    the camera that the NMFC implies; and the *face*, sampled at the NMFC's colors. Head and face are linear in a few
    numbers of the frame: a mean, and bases that bring wrinkles, lids and sheen. The network weighs the bases, warps
    the head's sampling grid and adds the rest: shading, mouth, eyes, whatever moves by itself; the latter two in
    windows at full resolution. Sharp detail is there from the first minutes of training, and moves with the head
    instead of being generated anew. No normalization layer: nothing depends on the statistics of a frame, and int8
    quantization stays simple.

    Of Eq. 4's history it takes nothing: what it was given of it did not make images better or steadier
    (``docs/benchmarks/2026-11-27-layered-generator.md``).

    Args:
        size: height and width of the image, a multiple of 16.
        widths: channels at a quarter, an eighth and a sixteenth of the size.
        fine: channels at half the size.
        window: channels of the windows.
    """

    camera_mean: Tensor
    camera_spread: Tensor

    def __init__(
        self, size: int = 256, widths: tuple[int, int, int] = (48, 80, 160), fine: int = 32, window: int = 16
    ) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.encoder = Encoder(6, widths)
        self.place_sixteenth = nn.Parameter(torch.zeros(1, sixteenth, size // 16, size // 16))
        self.place_quarter = nn.Parameter(torch.zeros(1, quarter, size // 4, size // 4))
        # What every part of the image must know: the head's pose, and the features' means in a few cells.
        pool = max(1, size // 16 // _POOLED)
        cells = (size // 16 // pool) ** 2
        self.pool = nn.Sequential(nn.AvgPool2d(pool), nn.Flatten())
        self.context = nn.Sequential(nn.Linear(cells * sixteenth + CAMERA_NUMBERS, _CONTEXT), nn.ReLU())
        self.to_sixteenth = nn.Linear(_CONTEXT, sixteenth)
        self.to_camera = zeroed(nn.Linear(_CONTEXT, CAMERA_NUMBERS))
        self.register_buffer("camera_mean", torch.zeros(CAMERA_NUMBERS))
        self.register_buffer("camera_spread", torch.ones(CAMERA_NUMBERS))
        self.middle = ResidualBlock(sixteenth)
        self.to_eighth = nn.Sequential(nn.Conv2d(sixteenth, 4 * eighth, 1), nn.PixelShuffle(2))
        self.at_eighth = ResidualBlock(eighth)
        self.to_bend = nn.Sequential(nn.Conv2d(eighth, 32, 3, padding=1), nn.ReLU(), zeroed(nn.Conv2d(32, 2, 1)))
        self.to_quarter = nn.Sequential(nn.Conv2d(eighth, 4 * quarter, 1), nn.PixelShuffle(2))
        self.at_quarter = nn.Sequential(nn.Conv2d(quarter, quarter, 3, padding=1), nn.ReLU())
        self.to_half = nn.Sequential(nn.Conv2d(quarter, 4 * fine, 1), nn.PixelShuffle(2))
        # Color and alpha (before the sigmoid).
        self.backdrop = nn.Parameter(torch.zeros(1, 3, size, size))
        self.head = nn.Parameter(torch.zeros(1, 4, HEAD_TEXELS, HEAD_TEXELS))
        self.face = nn.Parameter(torch.zeros(1, 4, FACE_TEXELS, FACE_TEXELS))
        self.head_bases = nn.Parameter(torch.zeros(BASES, 4 * HEAD_BASIS_TEXELS**2))
        self.face_bases = nn.Parameter(torch.zeros(BASES, 4 * FACE_BASIS_TEXELS**2))
        # Bounded: what a driver does that training never showed must not tear the textures.
        self.to_mixture = nn.Sequential(nn.Linear(_CONTEXT, 2 * BASES), nn.Tanh())
        # Third coordinate, and shifts of the first two; the second part depends on the pose: perspective, and hair
        # and neck that follow the head by half.
        self.relief = nn.Parameter(torch.zeros(1, 3, DEPTH_TEXELS, DEPTH_TEXELS))
        self.to_relief = nn.Sequential(nn.Linear(_CONTEXT, _POSES), zeroed(nn.Linear(_POSES, self.relief.numel())))
        self.detail = nn.Conv2d(LAYER_CHANNELS, fine, FINE_PATCH, stride=FINE_PATCH)
        self.at_half = nn.Sequential(nn.ReLU(), nn.Conv2d(fine, fine, 3, padding=1), nn.ReLU())
        self.to_corrections = nn.Sequential(zeroed(nn.Conv2d(fine, 4 * 4, 3, padding=1)), nn.PixelShuffle(2))
        self.windows = nn.ModuleDict(
            {part.name: PartWindow(part, size, quarter, LAYER_CHANNELS, window) for part in PARTS}
        )

    def textures(self) -> list[nn.Parameter]:
        """The textures, looked up rather than computed; they bear a higher learning rate than weights."""
        return [self.backdrop, self.head, self.face, self.head_bases, self.face_bases, self.relief,
                self.place_quarter, self.place_sixteenth]  # fmt: skip

    def forward(self, conditioning: Tensor, previous: Tensor) -> Tensor:
        """Image [B, 3, H, W] from conditionings [B, 18, H, W], of which only the last 6 channels count."""
        now = conditioning[:, -6:]
        implied = implied_camera(now[:, :3, CAMERA_PIXELS, CAMERA_PIXELS])
        features, camera, depth_map, warp_field, mixture = self.consider(implied, self.encoder(now))
        places = head_sampling_grid(camera, depth_map, warp_field, now.shape[2]) / HEAD_EXTENT
        for_head, for_face = mixture.chunk(2, dim=1)
        head = sample(self.head, places) + sample(mix(self.head_bases, for_head), places)
        face = sample(self.face, now[:, :2]) + sample(mix(self.face_bases, for_face), now[:, :2])
        layers = torch.cat([now, head, face], dim=1)
        corrections = self.correct(features, layers)
        for window in self.windows.values():
            assert isinstance(window, PartWindow)
            corrections = window.refine(corrections, features, layers, implied)
        return self.composite(face_mask(now), corrections, head, face)

    def consider(
        self, implied: Tensor, encoded: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        """Features [B, quarter, H/4, W/4], what ``head_sampling_grid`` takes (camera, depth map and warp field), and
        the weights of the bases of head and face [B, 2 · BASES].

        Args:
            implied: the camera that the NMFC implies, [B, 8].
            encoded: of the encoder, finest first.
        """
        x_quarter, x_eighth, x_sixteenth = encoded
        features = x_sixteenth + self.place_sixteenth
        pose = (implied - self.camera_mean) / self.camera_spread
        context = self.context(torch.cat([self.pool(features), pose], dim=1))
        camera = implied + self.camera_spread * self.to_camera(context)
        depth_map = self.relief + self.to_relief(context).view(-1, *self.relief.shape[1:])
        features = self.middle(features + self.to_sixteenth(context)[:, :, None, None])
        features = self.at_eighth(self.to_eighth(features) + x_eighth)
        warp_field = self.to_bend(features)
        features = self.to_quarter(features) + x_quarter + self.place_quarter
        return self.at_quarter(features), camera, depth_map, warp_field, self.to_mixture(context)


def mix(bases: Tensor, weights: Tensor) -> Tensor:
    """Square maps [B, 4, h, h] that are sums of bases [K, 4·h·h], weighted [B, K]."""
    side = math.isqrt(bases.shape[1] // 4)
    return (weights @ bases).view(-1, 4, side, side)
