"""The faster way is taken, the slower one tried now and then, and both make the same picture."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import DEMO_TARGET

from live.generators.onnx import OnnxGenerator
from live.generators.threads import Fastest

pytestmark = pytest.mark.unit


class Clock:
    """Time that only the steps themselves spend."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(count: int, clock: Clock, fastest: Fastest, costs: list[float], taken: list[int]) -> list[int]:
    """Which way each of some steps took, at some costs."""
    taken.clear()
    for _ in range(count):
        fastest(costs)
    return list(taken)


@pytest.fixture
def parts():
    clock, taken = Clock(), []

    def way(k: int):
        def run(costs: list[float]) -> None:
            taken.append(k)
            clock.now += costs[k]

        return run

    return clock, Fastest([way(0), way(1)], clock), taken


def test_it_follows_what_is_faster(parts):
    clock, fastest, taken = parts
    alone, crowded = [0.021, 0.034], [0.044, 0.035]
    assert steps(200, clock, fastest, alone, taken).count(0) >= 195
    busy = steps(200, clock, fastest, crowded, taken)
    assert busy.count(1) >= 120 and busy[-40:].count(1) >= 38
    again = steps(200, clock, fastest, alone, taken)
    assert again[-40:].count(0) >= 38


def test_one_slow_step_does_not_turn_it_over(parts):
    clock, fastest, taken = parts
    steps(100, clock, fastest, [0.021, 0.034], taken)
    steps(1, clock, fastest, [0.080, 0.080], taken)
    assert steps(20, clock, fastest, [0.021, 0.034], taken).count(0) >= 19


def test_threads_do_not_change_the_picture():
    both = [OnnxGenerator(DEMO_TARGET, threads=[count]) for count in (0, 1)]
    conditionings = np.random.default_rng(0).integers(0, 255, (3, 256, 256, 6), dtype=np.uint8)
    for conditioning in conditionings:
        assert np.array_equal(*(generator.step(conditioning) for generator in both))
