"""LPIPS (Zhang et al. 2018): distance of images in a VGG16's features.

It needs a VGG16 and the heads in the package ``lpips`` (``pip install --no-deps lpips``). With another trunk than
ImageNet's the score is only like LPIPS, and is named so.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from offline.downloads import fetch_weights
from offline.training.perceptual_loss import IMAGENET_MEAN, IMAGENET_SPREAD, Vgg16Trunk

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
_TAPS = ("1_2", "2_2", "3_3", "4_3", "5_3")


class Lpips:
    """Distance of images as people rate it.

    Args:
        trunk: activations after the last convolution of each block.
        heads: weight of each channel, per block ``[C]``.
        name: what the score is called.
    """

    def __init__(self, trunk: Vgg16Trunk, heads: Sequence[Tensor], name: str) -> None:
        self._trunk, self._heads, self.name = trunk, [head.view(1, -1, 1, 1) for head in heads], name

    @torch.no_grad()
    def distance(self, image: np.ndarray, truth: np.ndarray) -> float:  # both [H, W, 3] uint8
        """Distance of two images, 0 for the same."""
        pair = torch.from_numpy(np.stack([image, truth])).permute(0, 3, 1, 2).float() / 127.5 - 1
        total = 0.0
        for features, head in zip(self._trunk(pair), self._heads, strict=True):
            unit = features / (features.norm(dim=1, keepdim=True) + 1e-10)
            total += float(((unit[:1] - unit[1:]) ** 2 * head).sum(1).mean())
        return total


def load_lpips(trunk: Path | None, heads: Path | None = None) -> Lpips | None:
    """LPIPS, or what is like it with another trunk; ``None``, and a line that says why, where weights are missing.

    Args:
        trunk: npz of a VGG16 trunk; ImageNet's is fetched if there is none.
        heads: the heads' file; those of the installed package by default.

    Raises:
        UserError: a given or fetched file does not hold what it should.
    """
    heads = heads or _packaged_heads()
    if heads is None:
        print("LPIPS is left out: its heads come with 'pip install --no-deps lpips'.", file=sys.stderr)
        return None
    state = torch.load(heads, map_location="cpu", weights_only=True)
    weights = [state[f"lin{k}.model.1.weight"] for k in range(len(_TAPS))]
    if trunk is not None:
        return Lpips(Vgg16Trunk.of_file(trunk, _TAPS), weights, "lpips_like")
    try:
        fetched = fetch_weights(VGG16_URL)
    except OSError as error:
        print(f"LPIPS is left out: VGG16 cannot be fetched ({error}).", file=sys.stderr)
        return None
    return Lpips(imagenet_trunk(fetched), weights, "lpips")


def imagenet_trunk(state: dict[str, Tensor]) -> Vgg16Trunk:
    """The trunk of torchvision's ``vgg16`` state dict."""
    numbers = [int(name.split(".")[1]) for name in state if name.startswith("features.") and name.endswith(".weight")]
    named = {
        f"conv{layer}.{kind}": state[f"features.{number}.{kind}"]
        for layer, number in zip(Vgg16Trunk.LAYERS, sorted(numbers), strict=True)
        for kind in ("weight", "bias")
    }
    mean = [2 * m - 1 for m in IMAGENET_MEAN]
    return Vgg16Trunk(named, _TAPS, mean, [2 * s for s in IMAGENET_SPREAD])


def _packaged_heads() -> Path | None:
    package = importlib.util.find_spec("lpips")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "weights" / "v0.1" / "vgg.pth"
    return path if path.exists() else None
