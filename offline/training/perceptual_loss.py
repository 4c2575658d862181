"""Perceptual losses: distances of a trained network's features, and what stands in where there is none.

Images are [B, 3, H, W], RGB, -1…1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.errors import UserError
from offline.downloads import fetch_weights

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB 0…1
_CAFFE_MEAN = (123.68, 116.779, 103.939)  # the same, as the VGG16 trunk was trained, of RGB 0…255
_LEVELS = 4  # of the pyramid


class PerceptualKind(StrEnum):
    """Which network's features a run compares; its configuration and its target say so."""

    VGG19 = "vgg19"  # the paper's
    VGG16 = "vgg16"  # a trunk given as a file
    PYRAMID = "pyramid"  # what stands in where neither is to be had


class Vgg19Perceptual(nn.Module):
    """The paper's: mean absolute differences after relu1_1 … relu5_1, weighted 1/32, 1/16, 1/8, 1/4, 1.

    Args:
        weights: torchvision's ``vgg19`` state dict.
    """

    kind = PerceptualKind.VGG19
    BLOCKS = (2, 2, 4, 4, 1)  # convolutions, as far as relu5_1
    WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        number = 0  # of the layer in torchvision's "features"
        for block, count in enumerate(self.BLOCKS):
            for k in range(count):
                for kind in ("weight", "bias"):
                    self.register_buffer(f"{block}_{k}_{kind}", weights[f"features.{number}.{kind}"], persistent=False)
                number += 2
            number += 1
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(IMAGENET_SPREAD).view(1, 3, 1, 1), persistent=False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Activations after the first convolution of each block."""
        x = ((image + 1) / 2 - self.get_buffer("mean")) / self.get_buffer("spread")
        features = []
        for block, count in enumerate(self.BLOCKS):
            x = F.max_pool2d(x, 2) if block else x
            for k in range(count):
                kernel, bias = (self.get_buffer(f"{block}_{k}_{kind}") for kind in ("weight", "bias"))
                x = F.relu(F.conv2d(x, kernel, bias, padding=1))
                if k == 0:
                    features.append(x)
        return features

    def forward(self, output: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            expected = self.features(truth)
        return sum(
            (w * (a - b).abs().mean() for w, a, b in zip(self.WEIGHTS, self.features(output), expected, strict=True)),
            output.new_zeros(()),
        )


class Vgg16Trunk(nn.Module):
    """Activations of a VGG16's convolutions.

    Args:
        weights: by name, ``conv{block}_{i}.weight`` and ``.bias``.
        used: names of the convolutions (``{block}_{i}``) whose activations are wanted; what lies beyond is left out.
        mean, spread: of the images it was trained on, RGB in -1…1.
    """

    LAYERS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3")

    def __init__(
        self, weights: Mapping[str, np.ndarray | Tensor], used: tuple[str, ...], mean: Sequence[float],
        spread: Sequence[float],
    ) -> None:  # fmt: skip
        super().__init__()
        self._used = used
        self._layers = self.LAYERS[: self.LAYERS.index(used[-1]) + 1]
        for name in self._layers:
            for kind in ("weight", "bias"):
                value = torch.as_tensor(weights[f"conv{name}.{kind}"]).float()
                self.register_buffer(f"conv{name}_{kind}", value, persistent=False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(spread).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def of_file(cls, path: Path, used: tuple[str, ...]) -> Vgg16Trunk:
        """The trunk in an npz, which takes RGB 0…255 less the ImageNet mean.

        Raises:
            UserError: the file holds no such trunk.
        """
        try:
            with np.load(path) as data:
                return cls(data, used, [m / 127.5 - 1 for m in _CAFFE_MEAN], [1 / 127.5] * 3)
        except (OSError, ValueError, KeyError):
            raise UserError(f"{path} holds no VGG16 trunk: give the npz with its convolutions.") from None

    def forward(self, image: Tensor) -> list[Tensor]:
        x = (image - self.get_buffer("mean")) / self.get_buffer("spread")
        features = []
        for name in self._layers:
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            kernel, bias = (self.get_buffer(f"conv{name}_{kind}") for kind in ("weight", "bias"))
            x = F.relu(F.conv2d(x, kernel, bias, padding=1))
            if name in self._used:
                features.append(x)
        return features


class Vgg16Perceptual(nn.Module):
    """Feature distance in a VGG16 trunk, up to the third block.

    The trunk's activations differ in scale from the classic VGG16's, so every layer's difference is divided by
    that layer's mean on the true image.

    Args:
        weights: npz with ``conv{block}_{i}.weight`` and ``.bias``; input RGB 0…255 less the ImageNet mean.

    Raises:
        UserError: the file holds no such trunk.
    """

    kind = PerceptualKind.VGG16
    USED = ("1_2", "2_2", "3_3")

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.trunk = Vgg16Trunk.of_file(weights, self.USED)

    def forward(self, output: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            expected = self.trunk(truth)
        total = output.new_zeros(())
        for a, b in zip(self.trunk(output), expected, strict=True):
            total = total + ((a - b).abs().mean((1, 2, 3)) / b.mean((1, 2, 3))).mean()
        return total / len(expected)


class PyramidDistance(nn.Module):
    """What stands in without a trained network: mean absolute differences of a Laplacian pyramid's levels."""

    kind = PerceptualKind.PYRAMID

    def forward(self, output: Tensor, truth: Tensor) -> Tensor:
        difference, total = output - truth, output.new_zeros(())
        for _ in range(_LEVELS):
            smaller = F.avg_pool2d(difference, 2)
            total = total + (difference - F.interpolate(smaller, difference.shape[2:], mode="bilinear")).abs().mean()
            difference = smaller
        return total


Perceptual = Vgg19Perceptual | Vgg16Perceptual | PyramidDistance


def load_perceptual(weights: Path | None, begun_with: PerceptualKind | None = None) -> Perceptual:
    """The perceptual loss of a run.

    A new run's is of the given VGG16 trunk, else of VGG19 from the network, else its stand-in, which it says. A run
    that goes on keeps what it was begun with.

    Args:
        weights: npz with a VGG16 trunk.
        begun_with: what the run was begun with; ``None`` for a new run.

    Raises:
        UserError: the given file holds no such trunk, the run needs what is not to be had, or what was fetched is not
            what it should be.
    """
    if begun_with is PerceptualKind.PYRAMID:
        return PyramidDistance()
    if begun_with is PerceptualKind.VGG16 and weights is None:
        raise UserError("This run was begun with a VGG16 trunk: give --perceptual-weights.")
    if weights is not None and begun_with is not PerceptualKind.VGG19:
        return Vgg16Perceptual(weights)
    try:
        return Vgg19Perceptual(fetch_weights(VGG19_URL))
    except OSError as error:
        if begun_with is not None:
            raise UserError(f"This run was begun with VGG19, which cannot be fetched ({error}).") from None
        print(f"VGG19 cannot be fetched ({error}): a Laplacian pyramid stands in for the perceptual loss.",
              file=sys.stderr)  # fmt: skip
        return PyramidDistance()
