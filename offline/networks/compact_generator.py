"""The compact profile's generator, for two CPU cores.

Shapes carry a suffix: B batch, C channels, H and W image. Images are -1…1 inside the networks.
Only convolutions, grid sampling, resizing and activations, so that TensorRT needs no plugin.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.compact_constants import CAMERA_PIXELS, FINE_PATCH, HEAD_EXTENT
from face.recurrence import CONDITIONING_FRAMES, PREVIOUS_FRAMES
from offline.networks.blocks import Encoder, ResidualBlock, zeroed
from offline.networks.head_warp import CAMERA_NUMBERS, face_mask, head_sampling_grid, implied_camera
from offline.networks.layer_painter import DEPTH_TEXELS, FACE_TEXELS, HEAD_TEXELS, LAYER_CHANNELS, LayerPainter, sample

_TWO_SIZES_FROM = 512  # px: images from this size on have features of half as large ones
COARSE = "coarse_"  # how the modules for the smaller size begin
_CONTEXT = 96
_POSES = 16  # numbers by which the depth map depends on the pose


class CompactGenerator(LayerPainter):
    """Eq. 4 for two CPU cores: ``ỹ_t = G(x_{t-2:t}, ỹ_{t-2:t-1})`` at about 1.7 GFLOP a frame (256²).

    Two encoders whose features are added, one decoder with skips. What need not be computed is a learned
    texture, in three layers that are composited by their alpha: a background (``backdrop``) that does not move; the
    *head*, on a learned depth map (``relief``: hair, ears, neck), seen through the camera that the NMFC implies; and
    the *face*, sampled at the NMFC's colors. The network warps the head's sampling grid and adds the rest: shading,
    mouth, eyes, whatever moves by itself. Sharp detail is there from the first minutes of training, and moves with
    the head instead of being generated anew. No normalization layer: nothing depends on the statistics of a frame, and
    int8 quantization stays simple.

    A large image has features no finer than one of half its size, the *trunk*: what it sees is averaged down before the
    encoders, and corrections are read and made in patches twice as large. Such a network also makes images of the
    trunk's size, by a first and a last convolution of their own.

    Args:
        size: height and width of the image; the trunk's are multiples of 16.
        widths: channels at a quarter, an eighth and a sixteenth of the trunk.
        fine: channels at half the trunk.
        trunk: height and width of what the features are of: ``size`` or half of it; by default half from 512 px on.

    Attributes:
        size, trunk: as given.
        patch: side in px of the patches from which the layers are corrected.
    """

    camera_mean: Tensor
    camera_spread: Tensor

    def __init__(
        self, size: int = 256, widths: tuple[int, int, int] = (48, 80, 160), fine: int = 32, trunk: int | None = None
    ) -> None:
        super().__init__()
        self.size, self.trunk = size, trunk or (size if size < _TWO_SIZES_FROM else size // 2)
        assert self.size in (self.trunk, 2 * self.trunk)
        self.patch = FINE_PATCH * size // self.trunk
        self._widths, self._fine = widths, fine
        quarter, eighth, sixteenth = widths
        self.conditioning_encoder = Encoder(6 * CONDITIONING_FRAMES, widths)
        self.previous_encoder = Encoder(3 * PREVIOUS_FRAMES, widths)
        self.place_sixteenth = nn.Parameter(torch.zeros(1, sixteenth, self.trunk // 16, self.trunk // 16))
        self.place_quarter = nn.Parameter(torch.zeros(1, quarter, self.trunk // 4, self.trunk // 4))
        # What every part of the image must know: the head's pose, and the features' means.
        self.context = nn.Sequential(nn.Linear(sixteenth + CAMERA_NUMBERS, _CONTEXT), nn.ReLU())
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
        # Third coordinate, and shifts of the first two; the second part depends on the pose: perspective, and hair
        # and neck that follow the head by half.
        self.relief = nn.Parameter(torch.zeros(1, 3, DEPTH_TEXELS, DEPTH_TEXELS))
        self.to_relief = nn.Sequential(nn.Linear(_CONTEXT, _POSES), zeroed(nn.Linear(_POSES, self.relief.numel())))
        self.detail = _from_patches(fine, self.patch)
        self.at_half = nn.Sequential(nn.ReLU(), nn.Conv2d(fine, fine, 3, padding=1), nn.ReLU())
        self.to_corrections = _to_patches(fine, self.patch)
        if size > self.trunk:
            self.coarse_detail = _from_patches(fine, FINE_PATCH)
            self.coarse_to_corrections = _to_patches(fine, FINE_PATCH)

    def textures(self) -> list[nn.Parameter]:
        """The textures, looked up rather than computed; they bear a higher learning rate than weights."""
        return [self.backdrop, self.head, self.face, self.relief, self.place_quarter, self.place_sixteenth]

    def forward(self, conditioning: Tensor, previous: Tensor) -> Tensor:
        """Image [B, 3, H, W] from conditionings [B, 18, H, W] (oldest first) and outputs [B, 6, H, W].

        H and W are ``size``, or ``trunk``.
        """
        now = conditioning[:, -6:]
        size = int(now.shape[2])
        implied = implied_camera(now[:, :3, CAMERA_PIXELS, CAMERA_PIXELS])
        conditioning_features = self.conditioning_encoder(_smaller(conditioning, size // self.trunk))
        history_features = self.previous_encoder(_smaller(previous, size // self.trunk))
        features, camera, depth_map, warp_field = self.consider(implied, conditioning_features, history_features)
        places = head_sampling_grid(camera, depth_map, warp_field, size)
        head = sample(self.head, places / HEAD_EXTENT)
        face = sample(self.face, now[:, :2])
        correct = self.correct if size == self.size else self.correct_coarse
        corrections = correct(features, torch.cat([now, head, face], dim=1))
        return self.composite(face_mask(now), corrections, head, face)

    def at_trunk(self) -> CompactGenerator:
        """The generator of the smaller size alone, with a copy of the weights."""
        small = CompactGenerator(self.trunk, self._widths, self._fine, self.trunk)
        state = self.state_dict()
        for name in [name for name in state if name.startswith(COARSE)]:
            state[name.removeprefix(COARSE)] = state.pop(name)
        small.load_state_dict(state | {"backdrop": self.background(self.trunk)})
        return small.to(self.backdrop.device)

    def background(self, size: int) -> Tensor:
        """The background [1, 3, size, size] of an image of ``size`` or ``trunk``."""
        return _smaller(self.backdrop, self.size // size)

    def correct_coarse(self, features: Tensor, layers: Tensor) -> Tensor:
        """As ``correct``, of an image of the trunk's size where that is the smaller one."""
        shared = self.at_half(self.to_half(features) + self.coarse_detail(layers))
        corrections: Tensor = self.coarse_to_corrections(shared)
        return corrections

    def consider(
        self, implied: Tensor, conditioning_features: tuple[Tensor, ...], history_features: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features [B, quarter, H/4, W/4], and what ``head_sampling_grid`` takes: camera, depth map and warp field.

        Args:
            implied: the camera that the newest NMFC implies, [B, 8].
            conditioning_features: of the conditioning encoder, finest first.
            history_features: of the other encoder.
        """
        x_quarter, x_eighth, x_sixteenth = conditioning_features
        y_quarter, y_eighth, y_sixteenth = history_features
        features = x_sixteenth + y_sixteenth + self.place_sixteenth
        pose = (implied - self.camera_mean) / self.camera_spread
        context = self.context(torch.cat([features.mean((2, 3)), pose], dim=1))
        camera = implied + self.camera_spread * self.to_camera(context)
        depth_map = self.relief + self.to_relief(context).view(-1, *self.relief.shape[1:])
        features = self.middle(features + self.to_sixteenth(context)[:, :, None, None])
        features = self.at_eighth(self.to_eighth(features) + x_eighth + y_eighth)
        warp_field = self.to_bend(features)
        features = self.to_quarter(features) + x_quarter + y_quarter + self.place_quarter
        return self.at_quarter(features), camera, depth_map, warp_field


def _smaller(images: Tensor, factor: int) -> Tensor:
    """Images [B, C, H, W] averaged down to [B, C, H/factor, W/factor]."""
    return F.avg_pool2d(images, factor) if factor > 1 else images


def _from_patches(channels: int, patch: int) -> nn.Conv2d:
    """A convolution of the layers' patches."""
    return nn.Conv2d(LAYER_CHANNELS, channels, patch, stride=patch)


def _to_patches(channels: int, patch: int) -> nn.Sequential:
    """What makes patches of corrections; it starts with none."""
    return nn.Sequential(zeroed(nn.Conv2d(channels, 4 * patch**2, 3, padding=1)), nn.PixelShuffle(patch))
