from __future__ import annotations

import numpy as np
import pytest
from conftest import camera, units

from face.parameters import FaceParameters
from face.retarget import Mode, Retargeter, RetargetSettings, blend

pytestmark = pytest.mark.unit

HEAD = RetargetSettings()


def source(expression=None, gaze=(0, 0), **pose):
    return FaceParameters(
        np.ones(80), units() if expression is None else expression, camera(**pose), np.array(gaze, float)
    )


def test_identity_and_scale_are_the_targets(target_info):
    shown = Retargeter(target_info).step(source(yaw=10), HEAD, 0.0)
    assert np.allclose(shown.identity, 0.1)
    assert shown.camera.scale == pytest.approx(25)
    assert shown.camera.euler_deg[0] == pytest.approx(10)


def test_expression_is_carried_over_scaled_and_kept_in_its_box(target_info):
    retargeter = Retargeter(target_info)
    smile = units(mouthSmileLeft=0.8)
    assert np.allclose(retargeter.step(source(smile), HEAD, 0.0).expression, smile)
    strong = retargeter.step(source(smile), RetargetSettings(strength=2.0), 0.1).expression
    assert strong.max() == 1.0


def test_relative_mode_adds_the_change_to_the_targets_neutral(target_info):
    retargeter = Retargeter(target_info)
    resting = units(browDownLeft=0.4)
    for k in range(80):
        retargeter.step(source(resting, gaze=(5, 0)), RetargetSettings(relative=True), k / 25)
    shown = retargeter.step(source(resting, gaze=(5, 0)), RetargetSettings(relative=True), 4.0)
    assert np.allclose(shown.expression, 0.05, atol=1e-6)
    assert np.allclose(shown.gaze, [1, -1], atol=1e-6)


def test_place_is_recentred_and_clamped(target_info):
    retargeter = Retargeter(target_info)
    for k in range(50):
        still = retargeter.step(source(), HEAD, k / 25)
    assert np.allclose(still.camera.translation, [1.2 * 25, 1.1 * 25])
    moved = source()
    away = FaceParameters(
        moved.identity, moved.expression,
        type(moved.camera)(moved.camera.rotation, moved.camera.scale, moved.camera.translation + 500), moved.gaze,
    )  # fmt: skip
    shown = retargeter.step(away, HEAD, 2.0)
    assert np.allclose(shown.camera.translation, [(1.2 + 0.2) * 25, (1.1 + 0.1) * 25])


def test_pose_stays_where_the_target_was_seen(target_info):
    shown = Retargeter(target_info).step(source(yaw=70, pitch=-50), HEAD, 0.0)
    assert np.allclose(shown.camera.euler_deg[:2], [34, -19])


def test_face_only_keeps_the_targets_own_motion(target_info):
    settings = RetargetSettings(mode=Mode.FACE)
    retargeter = Retargeter(target_info)
    yaws = [
        retargeter.step(source(units(jawOpen=0.5), yaw=25), settings, k / 25).camera.euler_deg[0] for k in range(20)
    ]
    assert np.allclose(yaws[:10], range(10), atol=1e-6)  # the target's own, there …
    assert np.allclose(yaws[10:], range(9, -1, -1), atol=1e-6)  # … and back
    assert retargeter.step(source(units(jawOpen=0.5)), settings, 1.0).expression.max() == 0.5


def test_lost_face_holds_then_eases_to_rest_and_returns(target_info):
    retargeter = Retargeter(target_info)
    smile = units(mouthSmileLeft=0.8)
    last = retargeter.step(source(smile, yaw=20), HEAD, 0.0)
    held = retargeter.step(None, HEAD, 0.1)
    assert np.allclose(retargeter.step(None, HEAD, 0.5).expression, last.expression)
    assert np.allclose(held.camera.rotation, last.camera.rotation)
    path = [retargeter.step(None, HEAD, t).expression for t in np.arange(0.7, 3.0, 0.04)]
    assert np.abs(np.diff(path, axis=0)).max() < 0.05  # no jump
    assert np.allclose(path[-1], target_info.neutral_expression)
    back = [retargeter.step(source(smile), HEAD, 3.0 + t).expression for t in (0.0, 0.1, 0.3)]
    assert np.allclose(back[0], target_info.neutral_expression) and np.allclose(back[2], smile)


def test_no_face_from_the_start_shows_the_target_at_rest(target_info):
    shown = Retargeter(target_info).step(None, HEAD, 0.0)
    assert np.allclose(shown.expression, target_info.neutral_expression)


def test_blend_ends():
    a, b = source(units(jawOpen=0.2), yaw=0), source(units(jawOpen=0.6), yaw=20)
    assert blend(a, b, 0) is a and blend(a, b, 1) is b
    half = blend(a, b, 0.5)
    assert half.camera.euler_deg[0] == pytest.approx(10) and half.expression.max() == pytest.approx(0.4)
