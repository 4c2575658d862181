"""Whether a detector's probabilities can be believed: temperature (Guo et al. 2017), bins, expected error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

_BINS = 10
_TEMPERATURES = (-3.0, 3.0)  # logarithms


@dataclass(frozen=True)
class Bin:
    """Frames whose probability lies in one tenth of 0…1: how many, their mean probability, the share of forgeries."""

    count: int
    probability: float
    forged: float


def temperature(logits: np.ndarray, forged: np.ndarray) -> float:  # [N] both
    """What to divide logits by, so that their likelihood is greatest."""

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - forged * scaled))

    return float(np.exp(minimize_scalar(loss, bounds=_TEMPERATURES, method="bounded").x))


def reliability(probabilities: np.ndarray, forged: np.ndarray) -> list[Bin]:  # [N] both
    """The bins that hold any frame."""
    number = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    return [
        Bin(int(inside.sum()), float(probabilities[inside].mean()), float(forged[inside].mean()))
        for inside in (number == k for k in range(_BINS))
        if inside.any()
    ]


def expected_error(bins: list[Bin]) -> float:
    """Mean distance of probability and share over the frames (ECE)."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.probability - b.forged) for b in bins) / total


def probabilities(logits: np.ndarray, divisor: float) -> np.ndarray:
    """Probabilities of forgery at a temperature."""
    values: np.ndarray = expit(logits / divisor)
    return values
