from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, units

from face.camera import ScaledOrthographicCamera
from face.motion_range import MotionRange, motion_ellipsoids, pose
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.retarget import Retargeter, RetargetSettings

pytestmark = pytest.mark.fast


def seen_from(yaw: float = 0, pitch: float = 0, scale: float = 90, x: float = 128) -> ScaledOrthographicCamera:
    return ScaledOrthographicCamera.from_euler(np.array([yaw, pitch, 0.0]), scale, np.array([x, 113.0]))


@pytest.fixture(scope="module")
def footage():
    """A person whose jaw opens with a raised head only, and whose head, turned, moves to that side."""
    rng = np.random.default_rng(3)
    jaw, yaw = rng.uniform(0, 0.8, 400), rng.uniform(-25, 25, 400)
    cameras = [seen_from(y, 10 - 25 * j, x=128 + y) for y, j in zip(yaw, jaw, strict=True)]
    return cameras, np.array([units(jawOpen=value) for value in jaw])


@pytest.fixture(scope="module")
def ellipsoids(footage):
    return motion_ellipsoids(np.array([pose(camera) for camera in footage[0]]), footage[1])


def test_what_was_often_shown_stays(footage, ellipsoids):
    inside = MotionRange(*ellipsoids)
    same = 0
    for seen, expression in zip(*footage, strict=True):
        kept, shown = inside.keep(seen, expression)
        assert np.allclose(kept.euler_deg, seen.euler_deg, atol=6) and np.allclose(shown, expression, atol=0.1)
        same += np.allclose(pose(kept), pose(seen)) and np.allclose(shown, expression)
    assert same > 0.9 * len(footage[1])


def test_an_open_jaw_with_the_head_down_was_never_seen_though_either_was(ellipsoids):
    kept, shown = MotionRange(*ellipsoids).keep(seen_from(pitch=9), units(jawOpen=0.8))
    assert kept.euler_deg[1] == pytest.approx(9, abs=0.5) and shown.max() < 0.6
    never = MotionRange(*ellipsoids).keep(seen_from(), units(mouthPucker=1.5))
    assert never[1].max() < 0.6


def test_scale_and_place_are_those_that_went_with_the_angles(ellipsoids):
    inside = MotionRange(*ellipsoids)
    kept, _ = inside.keep(seen_from(yaw=20, x=108), units())
    assert kept.euler_deg[0] == pytest.approx(20, abs=0.5) and kept.translation[0] > 135
    assert inside.keep(seen_from(scale=110), units())[0].scale < 96


def test_what_is_kept_lies_on_the_border_and_moves_smoothly(ellipsoids):
    center, whitening = ellipsoids
    inside = MotionRange(center, whitening)
    kept = np.array([pose(inside.keep(seen_from(yaw=yaw), units())[0]) for yaw in np.arange(20.0, 80.0)])
    assert np.linalg.norm((whitening[:6, :6] @ (kept[-1] - center[:6]))[:3]) == pytest.approx(1)
    assert np.abs(np.diff(kept, axis=0)).max() <= 1 + 1e-9


def test_targets_of_before_tell_of_angles_and_expression_only(footage):
    motion = np.column_stack([[camera.euler_deg for camera in footage[0]], footage[1]])
    spread = np.cov(motion.T) + 0.01 * np.eye(motion.shape[1])
    inside = MotionRange(motion.mean(0), np.linalg.inv(np.linalg.cholesky(spread)) / 5)
    kept, shown = inside.keep(seen_from(yaw=170, scale=200, x=20), units(mouthPucker=1.5))
    assert kept.euler_deg[0] < 90 and shown.max() < 1
    assert kept.scale == pytest.approx(200) and kept.translation == pytest.approx([20, 113])


def test_a_target_that_tells_nothing_keeps_nothing_back(target_info, model, ellipsoids):
    wild = FaceParameters(np.zeros(80), units(mouthPucker=1.5), camera(), np.zeros(2))
    free = Retargeter(target_info, model).step(wild, RetargetSettings(), 0.0)
    assert free.expression[:EXPRESSION_SIZE].max() > 1
    center, whitening = ellipsoids
    bounded = replace(target_info, motion_center=center.tolist(), motion_whitening=whitening.tolist())
    assert Retargeter(bounded, model).step(wild, RetargetSettings(), 0.0).expression.max() < 0.6
