"""Options of the evaluation: weights of networks that others trained."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from offline.evaluate.identity import FaceRecognizer
from offline.evaluate.lpips import Lpips, load_lpips


@dataclass(frozen=True)
class MetricNetworks:
    """Networks that others trained, where they are at hand."""

    lpips: Lpips | None = None
    recognizer: FaceRecognizer | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Files of the networks that some metrics need.

    Attributes:
        perceptual_weights: npz of a VGG16 trunk.
        lpips_heads: LPIPS' heads.
        identity_weights: ONNX file of a face recognizer.
    """

    perceptual_weights: Path | None = None
    lpips_heads: Path | None = None
    identity_weights: Path | None = None

    def load(self) -> MetricNetworks:
        """The networks.

        Raises:
            UserError: a file does not hold what it should.
        """
        recognizer = FaceRecognizer(self.identity_weights) if self.identity_weights else None
        return MetricNetworks(load_lpips(self.perceptual_weights, self.lpips_heads), recognizer)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options by the names of ``EvaluationOptions``, besides ``--perceptual-weights``."""
    group = parser.add_argument_group("evaluation")
    group.add_argument("--lpips-heads", type=Path, metavar="FILE", help="LPIPS' heads for VGG (default: those of the "
                                                                       "package lpips, if installed)")  # fmt: skip
    group.add_argument("--identity-weights", type=Path, metavar="ONNX", help="a face recognizer (ArcFace's crops): "
                                                                            "is it the same person?")  # fmt: skip
