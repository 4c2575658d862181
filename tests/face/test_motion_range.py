from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, units

from face.motion_range import MotionRange, motion_ellipsoid
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.retarget import Retargeter, RetargetSettings

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def footage():
    """Poses and expressions of a person whose jaw opens with a raised head only."""
    rng = np.random.default_rng(3)
    jaw = rng.uniform(0, 0.8, 400)
    euler = np.column_stack([rng.uniform(-25, 25, 400), 10 - 25 * jaw, rng.normal(0, 2, 400)])
    return euler, np.array([units(jawOpen=value) for value in jaw])


def test_all_that_was_shown_stays(footage):
    inside = MotionRange(*motion_ellipsoid(*footage))
    for euler, expression in zip(*footage, strict=True):
        kept = inside.keep(euler, expression)
        assert np.allclose(kept[0], euler) and np.allclose(kept[1], expression)


def test_pose_and_expression_count_together(footage):
    """An open jaw with the head down was never seen, though either was."""
    inside = MotionRange(*motion_ellipsoid(*footage))
    together = inside.keep(np.array([0.0, 10.0, 0.0]), units(jawOpen=0.8))
    assert together[0][1] < 6 and together[1].max() < 0.7
    never = inside.keep(np.zeros(3), units(mouthPucker=1.5))
    assert never[1].max() < 0.6


def test_what_is_kept_lies_on_the_border_and_moves_smoothly(footage):
    center, whitening = motion_ellipsoid(*footage)
    inside = MotionRange(center, whitening)
    kept = np.array([np.concatenate(inside.keep(np.array([yaw, 0, 0]), units())) for yaw in np.arange(20.0, 90.0)])
    assert np.linalg.norm(whitening @ (kept[-1] - center)) == pytest.approx(1)
    assert np.abs(np.diff(kept, axis=0)).max() <= 1 + 1e-9


def test_a_target_that_tells_nothing_keeps_nothing_back(target_info, model, footage):
    wild = FaceParameters(np.zeros(80), units(mouthPucker=1.5), camera(), np.zeros(2))
    free = Retargeter(target_info, model).step(wild, RetargetSettings(), 0.0)
    assert free.expression[:EXPRESSION_SIZE].max() > 1
    center, whitening = motion_ellipsoid(*footage)
    bounded = replace(target_info, motion_center=center.tolist(), motion_whitening=whitening.tolist())
    assert Retargeter(bounded, model).step(wild, RetargetSettings(), 0.0).expression.max() < 0.6
