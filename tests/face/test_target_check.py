"""Damaged targets are refused by name when their file is read, before anything is made of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from face.errors import UserError
from face.target import read_info, write_engine
from face.target_check import problem

pytestmark = pytest.mark.fast


def test_a_good_target_has_no_problem(target_info):
    assert problem(target_info) is None
    assert (
        problem(replace(target_info, portrait="/9j/4AAQ", camera_map=[[0.0] * 6] * 82, teeth=[0.02, 0.0, 1.05, 0.01]))
        is None
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None), ("title", 7), ("portrait", "no base64!"),
        ("size", "x"), ("size", -1), ("size", 10**7), ("size", 256.0), ("size", True),
        ("identity", [0.1, 0.2, 0.3]), ("identity", None), ("identity", [math.nan] * 80), ("identity", ["a"] * 80),
        ("neutral_expression", [[0.0] * 72]), ("neutral_gaze", [1.0, math.inf]),
        ("scale_mean", 0.0), ("scale_mean", math.nan), ("scale_mean", [25.0]),
        ("translation_std", [-0.1, 0.1]), ("euler_low_deg", None), ("euler_low_deg", [90.0, 0.0, 0.0]),
        ("head_motion", []), ("head_motion", [[0.0] * 5]), ("head_motion", [[0.0] * 6, [0.0] * 5]),
        ("head_motion", [[0.0] * 6]), ("camera_map", [[0.0] * 5]),
        ("other_sizes", 32), ("other_sizes", [64]), ("other_sizes", ["32"]),
        ("teeth", [0.1, 0.0]), ("teeth", [0.0] * 4), ("teeth", [0.0, math.nan, 1.0, 0.0]),
    ],
)  # fmt: skip
def test_each_field_is_looked_at(tmp_path, target_info, field, value):
    path = tmp_path / "bad.engine"
    write_engine(path, b"", replace(target_info, **{field: value}))
    with pytest.raises(UserError, match="bad.engine is damaged"):
        read_info(path, target_info.model_hash)
