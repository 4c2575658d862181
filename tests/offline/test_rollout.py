from __future__ import annotations

import numpy as np
import pytest

from face.recurrence import INPUTS, NO_OUTPUT
from offline.rollout import Rollout, roll_out

pytestmark = pytest.mark.fast


class Counting:
    """A network whose n-th image is n everywhere; it keeps what it was given."""

    def __init__(self):
        self.inputs = []

    def __call__(self, inputs):
        self.inputs.append([int(inputs[name].flat[0]) for name in INPUTS])
        return np.full((2, 2, 3), len(self.inputs), np.uint8)


def conditionings(*values):
    return [np.full((2, 2, 6), value, np.uint8) for value in values]


def test_outputs_and_conditionings_come_back_in_order():
    network = Counting()
    images = list(roll_out(network, conditionings(50, 60, 70, 80)))
    assert [int(image[0, 0, 0]) for image in images] == [1, 2, 3, 4]
    assert network.inputs == [
        [50, 50, 50, NO_OUTPUT, NO_OUTPUT], [60, 50, 50, 1, NO_OUTPUT], [70, 60, 50, 2, 1], [80, 70, 60, 3, 2]
    ]  # fmt: skip


def test_each_roll_out_has_a_history_of_its_own():
    network = Counting()
    first, second = Rollout(network), Rollout(network)
    first.step(conditionings(50)[0])
    second.step(conditionings(90)[0])
    first.step(conditionings(60)[0])
    assert network.inputs[1:] == [[90, 90, 90, NO_OUTPUT, NO_OUTPUT], [60, 50, 50, 1, NO_OUTPUT]]
