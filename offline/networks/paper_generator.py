"""The paper's generator (Eq. 4), as the authors released it: 70.8 M parameters, 168 GFLOP a frame at 256².

Shapes carry a suffix: B batch, C channels, H and W image. Images are -1…1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from face.recurrence import CONDITIONING_FRAMES, PREVIOUS_FRAMES
from offline.networks.exported_step import BYTE, NO_OUTPUT_VALUE

_STRIDED = 3  # convolutions that halve the image
_ENCODER_BLOCKS, _DECODER_BLOCKS = 5, 4


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.path(x)


def _encoder(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7), nn.InstanceNorm2d(width), nn.ReLU()
    ]  # fmt: skip
    for k in range(_STRIDED):
        wide = width * 2 ** (k + 1)
        layers += [nn.Conv2d(wide // 2, wide, 3, stride=2, padding=1), nn.InstanceNorm2d(wide), nn.ReLU()]
    layers += [_Residual(width * 2**_STRIDED) for _ in range(_ENCODER_BLOCKS)]
    return nn.Sequential(*layers)


class PaperGenerator(nn.Module):
    """``ỹ_t = G(x_{t-2:t}, ỹ_{t-2:t-1})``: two encoders whose features are added, one decoder.

    A sequence's first frame has no previous outputs: blank images stand for them. In exact arithmetic the second
    encoder answers a constant image with zeros, since every instance norm takes its mean away. In floating point the
    norms divide rounding noise by nearly nothing, so the zeros are put there: no output, no features.

    Args:
        size: height and width of the image, a multiple of 8.
        width: channels after the first layer.
    """

    def __init__(self, size: int = 256, width: int = 64) -> None:
        super().__init__()
        self.conditioning_encoder = _encoder(6 * CONDITIONING_FRAMES, width)
        self.previous_encoder = _encoder(3 * PREVIOUS_FRAMES, width)
        layers: list[nn.Module] = [_Residual(width * 2**_STRIDED) for _ in range(_DECODER_BLOCKS)]
        for k in reversed(range(_STRIDED)):
            wide = width * 2**k
            layers += [
                nn.ConvTranspose2d(2 * wide, wide, 3, stride=2, padding=1, output_padding=1),
                nn.InstanceNorm2d(wide), nn.ReLU(),
            ]  # fmt: skip
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.decoder = nn.Sequential(*layers)

    def textures(self) -> list[nn.Parameter]:
        """Textures: none."""
        return []

    def forward(self, conditioning: Tensor, previous: Tensor) -> Tensor:
        """Image [B, 3, H, W] from conditionings [B, 18, H, W] (oldest first) and outputs [B, 6, H, W]."""
        has_history = (previous - NO_OUTPUT_VALUE).abs().amax((1, 2, 3), keepdim=True) > BYTE / 2
        history = self.previous_encoder(previous)
        history = torch.where(has_history, history, history.new_zeros(()))
        image: Tensor = self.decoder(self.conditioning_encoder(conditioning) + history)
        return image
