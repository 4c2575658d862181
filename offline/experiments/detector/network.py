"""A small Xception (Chollet 2017), trained here: the detector that the paper used cannot be had.

Shapes carry a suffix: B batch, C channels, H and W image. Images are -1…1.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

SIDE = 128  # px of the images that it takes
_WIDTHS = (24, 48, 96, 192)
_MIDDLE = 2  # blocks that keep the size
_OPSET = 17


class _Separable(nn.Sequential):
    """A depthwise 3×3 and a pointwise convolution."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )


class _Block(nn.Module):
    """Two separable convolutions on a residual path, then half the size if ``stride`` is 2."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        shrink: list[nn.Module] = [nn.MaxPool2d(3, stride, padding=1)] if stride > 1 else []
        self.path = nn.Sequential(
            nn.ReLU(), _Separable(channels, width), nn.ReLU(), _Separable(width, width), *shrink
        )  # fmt: skip
        short = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.short: nn.Module = nn.Identity() if stride == 1 and channels == width else short

    def forward(self, x: Tensor) -> Tensor:
        return self.path(x) + self.short(x)


class Detector(nn.Module):
    """How likely an image is a forgery, before the sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Sequential(nn.Conv2d(3, _WIDTHS[0], 3, 2, padding=1, bias=False), nn.BatchNorm2d(_WIDTHS[0]))
        blocks = [_Block(a, b, 2) for a, b in zip(_WIDTHS[:-1], _WIDTHS[1:], strict=True)]
        middle = [_Block(_WIDTHS[-1], _WIDTHS[-1], 1) for _ in range(_MIDDLE)]
        self.features = nn.Sequential(first, *blocks, *middle, nn.ReLU())
        self.verdict = nn.Linear(_WIDTHS[-1], 1)

    def forward(self, image: Tensor) -> Tensor:  # [B, 3, SIDE, SIDE]
        """Logits [B]."""
        logits: Tensor = self.verdict(self.features(image).mean((2, 3)))[:, 0]
        return logits


def detector_onnx(detector: Detector) -> bytes:
    """The detector as an ONNX model from ``image`` [1, 3, SIDE, SIDE] to ``logit`` [1]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detector.onnx"
        example = (torch.zeros(1, 3, SIDE, SIDE),)
        torch.onnx.export(
            detector.eval(), example, path, input_names=["image"], output_names=["logit"], opset_version=_OPSET,
            dynamo=False,
        )  # fmt: skip
        return path.read_bytes()
