"""Intervals and verdicts, where chance is known."""

from __future__ import annotations

import numpy as np
import pytest

from offline.experiments.intervals import Interval, difference, mean_interval, share_interval
from offline.experiments.tables import Table

pytestmark = pytest.mark.fast


def correlated(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Values whose neighbors are alike, as those of frames are, of mean 0."""
    return np.repeat(rng.normal(size=frames // 10 + 1), 10)[:frames] + rng.normal(size=frames) * 0.1


def test_the_interval_of_a_mean_covers_it_nearly_always_although_neighbors_are_alike():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(correlated(rng, 1000)) for _ in range(60)]
    assert sum(interval.low <= 0 <= interval.high for interval in intervals) >= 52


def test_frames_that_do_not_count_are_left_out():
    values = np.array([1.0, np.nan, 3.0, np.nan] * 30)
    assert mean_interval(values).value == 2
    assert 1 <= mean_interval(values).low < 2
    few = mean_interval(np.array([np.nan, 5.0, np.nan, 6.0]))
    assert few.value == 5.5 and few.low == -np.inf


def test_a_difference_is_significant_only_beyond_frames_and_seeds():
    rng = np.random.default_rng(1)
    base = np.stack([correlated(rng, 500)] * 2)
    noise = rng.normal(size=base.shape) * 0.1
    assert difference(base + 1 + noise, base).verdict == "significant"
    assert difference(base + noise, base).verdict == "not significant"
    seeds = np.array([[0.0], [1.2]])  # one training is as good as the base, the other is not
    assert difference(base + seeds + noise, base).verdict == "not significant"
    assert difference((base + 1 + noise)[:1], base[:1]).verdict == "one seed"


def test_shares_by_wilson():
    interval = share_interval(8, 10)  # Newcombe 1998's method 3
    assert interval.value == 0.8
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert share_interval(0, 0).low == 0 and share_interval(0, 0).high == 1
    assert share_interval(0, 20).low == 0 and 0 < share_interval(0, 20).high < 0.2


def test_tables_are_read_and_computed_with(tmp_path):
    table = Table("scores", "What it is.", ("person", "APD", "note"))
    table.add("A", Interval(7.125, 6.5, 8.0), None)
    table.add("B", None, "no face")
    table.write(tmp_path)
    assert (tmp_path / "scores.md").read_text().splitlines()[2:] == [
        "| person | APD | note |", "|---|---|---|", "| A | 7.12 [6.50, 8.00] | — |", "| B | — | no face |",
    ]  # fmt: skip
    assert (tmp_path / "scores.csv").read_text() == (
        "person,APD,APD low,APD high,note\nA,7.125,6.5,8.0,\nB,,,,no face\n"
    )
