"""Scores by networks that others trained, where their weights are at hand: LPIPS, and whether it is the same person.

LPIPS (Zhang et al. 2018) wants a VGG16 and the heads in the package ``lpips`` (``pip install --no-deps lpips``). With
another trunk than ImageNet's the score is only like LPIPS, and is named so. The person is compared by any face
recogniser that takes ArcFace's crops (Deng et al. 2019) as an ONNX file.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor

from face.errors import UserError
from face.files import sha256
from face.landmarks import LEFT_EYE, RIGHT_EYE, Landmarks
from offline.downloads import fetch_weights
from offline.training.perceptual import IMAGENET_MEAN, IMAGENET_SPREAD, Vgg16Trunk

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
_TAPS = ("1_2", "2_2", "3_3", "4_3", "5_3")
# Where ArcFace's 112-px crops have the eye in the picture's left half, the other one, nose tip and mouth corners.
_PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
_SIDE = 112
_NOSE_TIP, _MOUTH_CORNERS = 4, (61, 291)


class Lpips:
    """Distance of pictures as people judge it.

    Args:
        trunk: activations after the last convolution of each block.
        heads: weight of each channel, per block ``[C]``.
        name: what the score is called.
    """

    def __init__(self, trunk: Vgg16Trunk, heads: Sequence[Tensor], name: str) -> None:
        self._trunk, self._heads, self.name = trunk, [head.view(1, -1, 1, 1) for head in heads], name

    @torch.no_grad()
    def distance(self, picture: np.ndarray, truth: np.ndarray) -> float:  # both [H, W, 3] uint8
        """Distance of two pictures, 0 for the same."""
        pair = torch.from_numpy(np.stack([picture, truth])).permute(0, 3, 1, 2).float() / 127.5 - 1
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


class Recogniser:
    """A face recogniser.

    Args:
        path: ONNX file; takes ``[1, 3, 112, 112]`` float32 RGB -1…1, gives an embedding.

    Raises:
        UserError: the file is no such network.

    Attributes:
        hash: SHA-256 of the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise UserError(f"{path} is no ONNX network: give a face recogniser ({error}).") from None
        shapes = [list(given.shape[1:]) for given in self._session.get_inputs()]
        if shapes != [[3, _SIDE, _SIDE]]:
            raise UserError(f"{path} takes {shapes}: give a face recogniser, which takes [1, 3, {_SIDE}, {_SIDE}].")
        self._input = self._session.get_inputs()[0].name
        self.hash = sha256(path)

    def embedding(self, picture: np.ndarray, seen: Landmarks) -> np.ndarray:  # [H, W, 3] uint8
        """What tells the person in a picture, a unit vector."""
        aligned = face_crop(picture, seen).transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        vector = np.ravel(self._session.run(None, {self._input: aligned})[0]).astype(float)
        return vector / np.linalg.norm(vector)

    def similarity(
        self, pictures: np.ndarray, seen: Sequence[Landmarks | None], reference: np.ndarray
    ) -> float:  # pictures [T, H, W, 3] uint8, reference [D]
        """Mean cosine of the pictures' embeddings and a reference, where a face is seen."""
        found = [self.embedding(picture, one) @ reference for picture, one in zip(pictures, seen, strict=True) if one]
        return float(np.mean(found))


def face_crop(picture: np.ndarray, seen: Landmarks) -> np.ndarray:
    """The face upright at ArcFace's places, ``[112, 112, 3]`` uint8."""
    eyes = sorted((seen.points[list(eye)].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)), key=lambda p: float(p[0]))
    points = np.array([*eyes, seen.points[_NOSE_TIP], *seen.points[list(_MOUTH_CORNERS)]])
    matrix, _ = cv2.estimateAffinePartial2D(points, _PLACES, method=cv2.LMEDS)
    cut: np.ndarray = cv2.warpAffine(picture, matrix, (_SIDE, _SIDE))
    return cut
