"""How sure figures are: intervals of means over frames, of differences, and of shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLOCK = 25  # frames: neighbors are alike, a second later they are not
_FEWEST_BLOCKS = 4
_DRAWS = 2000
_TAILS = (2.5, 97.5)  # percentiles of a 95 % interval
_Z = 1.959964  # the normal distribution's 97.5th percentile


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Difference:
    """How far a variant is from the one that it is compared with.

    Attributes:
        mean: with its interval over frames.
        spread: half the range of a variant's means over its seeds, the larger of the two; NaN for one seed.
    """

    mean: Interval
    spread: float

    @property
    def verdict(self) -> str:
        """Whether the difference is more than chance: of frames, and of seeds."""
        if not self.mean.low > 0 and not self.mean.high < 0:
            return "not significant"
        if np.isnan(self.spread):
            return "one seed"
        return "not significant" if abs(self.mean.value) < 2 * self.spread else "significant"


def mean_interval(values: np.ndarray) -> Interval:
    """Mean of values per frame ``[T]``, those that are NaN left out; by bootstrap over blocks of a second.

    Too few frames say nothing: their interval is without end.
    """
    counted = values[np.isfinite(values)]
    block = min(_BLOCK, max(1, len(counted) // _FEWEST_BLOCKS))
    if len(counted) < _FEWEST_BLOCKS:
        return Interval(float(counted.mean()) if len(counted) else float("nan"), -np.inf, np.inf)
    blocks = np.array_split(counted, len(counted) // block)
    sums, counts = np.array([b.sum() for b in blocks]), np.array([len(b) for b in blocks])
    chosen = np.random.default_rng(0).integers(len(blocks), size=(_DRAWS, len(blocks)))
    low, high = np.percentile(sums[chosen].sum(1) / counts[chosen].sum(1), _TAILS)
    return Interval(float(counted.mean()), float(low), float(high))


def difference(values: np.ndarray, base: np.ndarray) -> Difference:  # [S, T] both, of the same frames
    """Difference of a variant from another, frame by frame; seeds are averaged, and their spread is kept."""
    mean = mean_interval(np.mean(values - base, axis=0))
    if len(values) < 2:
        return Difference(mean, float("nan"))
    return Difference(mean, float(max(np.ptp(np.nanmean(v, axis=1)) for v in (values, base)) / 2))


def share_interval(count: int, total: int) -> Interval:
    """Share of a total by Wilson's interval (1927), which is right for few answers and for none."""
    if not total:
        return Interval(float("nan"), 0.0, 1.0)
    share, z2 = count / total, _Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return Interval(share, float(max(0.0, middle - half)), float(min(1.0, middle + half)))
