"""Layers and tensors as ONNX Runtime's int8 convolutions lay them out: bytes, patches, rows of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from face.compact_constants import HALF_RANGE, MIDDLE

_OFFSET = 0.5 / HALF_RANGE  # what an image's byte, whose zero lies at 127.5, stands for beyond that


class ChannelsLast(nn.Module):
    """Channels as bytes of images have them."""

    def forward(self, x: Tensor) -> Tensor:
        """Channels [B, H, W, C] from [B, C, H, W]."""
        return x.permute(0, 2, 3, 1)


class RowShuffle(nn.Module):
    """A pixel shuffle for channels [1, side²·C, H, W] that lie row, column, channel; see ``by_rows``."""

    def __init__(self, side: int = 2) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """Channels [1, C, side·H, side·W]."""
        return to_pixels(x.permute(0, 2, 3, 1), self.side)[None].permute(0, 3, 1, 2)


def of_bytes(conv: nn.Module, count: int | None = None) -> nn.Conv2d:
    """A convolution of images that sees what ``byte_values`` makes of their bytes, in the first ``count`` channels."""
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    conv.bias += _OFFSET * conv.weight[:, :count].sum((1, 2, 3))
    return conv


def of_patches(conv: nn.Conv2d, frames: int = 1) -> nn.Conv2d:
    """A convolution that takes some images' patches one by one, for what ``to_patches`` gives of them."""
    assert conv.bias is not None
    weight = conv.weight.unflatten(1, (frames, -1)).permute(0, 1, 3, 4, 2).flatten(1)
    return _convolution(weight[:, :, None, None], conv.bias)


def by_rows(conv: nn.Module, side: int = 2) -> nn.Conv2d:
    """The convolution before a pixel shuffle, its outputs in the order row, column, channel."""
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    order = torch.arange(conv.out_channels).view(-1, side * side).t().flatten()
    return _convolution(conv.weight[order], conv.bias[order])


def level_channels(conv: nn.Module) -> tuple[nn.Conv2d, Tensor]:
    """A convolution to pixels of four channels whose channels are alike in size, and the factor [4] that undoes it.

    One int8 scale then does for all of them.
    """
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    weight, bias = conv.weight.unflatten(0, (-1, 4)), conv.bias.view(-1, 4)
    factor = torch.linalg.vector_norm(weight, dim=(0, 2, 3, 4)).clamp(min=1e-6)
    return _convolution((weight / factor[:, None, None, None]).flatten(0, 1), (bias / factor).flatten()), factor


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution with odd kernels that keeps an image's size."""
    outputs, inputs, side, _ = weight.shape
    conv = nn.Conv2d(inputs, outputs, side, padding=side // 2)
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv


def to_patches(side: int, *images: Tensor) -> Tensor:
    """Patches of images [H, W, C], [H/side, W/side, images · side²·C]: a patch's bytes by row, column, channel."""
    height, width, channels = images[0].shape
    rows = [
        image.view(height // side, side, width // side, side * channels).permute(0, 2, 1, 3).flatten(2)
        for image in images
    ]
    return torch.cat(rows, 2)


def to_pixels(patches: Tensor, side: int = 2) -> Tensor:
    """Pixels [side·H, side·W, C] of patches [1, H, W, side²·C]."""
    _, height, width, channels = patches.shape
    rows = patches.view(height, width, side, -1).permute(0, 2, 1, 3)
    return rows.reshape(side * height, side * width, channels // side**2)


def smaller(image: Tensor, factor: int) -> Tensor:
    """An image [H, W, C] uint8 averaged down to [H/factor, W/factor, C], rounded."""
    if factor == 1:
        return image
    height, width, channels = image.shape
    cells = image.view(height // factor, factor, width // factor, factor, channels).float()
    return (cells.mean((1, 3)) + 0.5).to(torch.uint8)


def byte_values(bytes_: Tensor) -> Tensor:
    """What bytes [H, W, C] stand for, [1, C, H, W]; in int8 that is the bytes, see ``offline/export/int8.py``."""
    return (bytes_[None].permute(0, 3, 1, 2).float() - MIDDLE) / HALF_RANGE


def table_layer(rows: Tensor, step: Tensor) -> Tensor:
    """Color and alpha [1, 4, H, W] from bytes [H, W, 4] looked up in a table."""
    return ((rows.float() - MIDDLE) * step)[None].permute(0, 3, 1, 2)
