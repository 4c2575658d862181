from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, units

from face.camera import ScaledOrthographicCamera
from face.conditioning import CpuConditioning
from face.landmarks import INNER_LIPS, OUTER_LIPS, UNIT_NAMES
from face.lips import Lips
from face.parameters import BROWS, EXPRESSION_SIZE, IDENTITY_SIZE, MOUTH, FaceParameters
from face.retarget import Mode, Retargeter, RetargetSettings, blend

pytestmark = pytest.mark.fast

HEAD = RetargetSettings()
BESIDE = np.ones(EXPRESSION_SIZE, bool)  # all but what may close the lips
BESIDE[MOUTH] = BESIDE[UNIT_NAMES.index("mouthClose")] = False


def source(expression=None, gaze=(0, 0), **pose):
    return FaceParameters(
        np.ones(80), units() if expression is None else expression, camera(**pose), np.array(gaze, float)
    )


def test_identity_and_scale_are_the_targets(target_info, model):
    output = Retargeter(target_info, model).step(source(yaw=10), HEAD, 0.0)
    assert np.allclose(output.identity, 0.1)
    assert output.camera.scale == pytest.approx(25)
    assert output.camera.euler_deg[0] == pytest.approx(10)


def test_expression_is_carried_over_scaled_and_kept_in_its_box(target_info, model):
    retargeter = Retargeter(target_info, model)
    smile = units(mouthSmileLeft=0.8)
    assert np.allclose(retargeter.step(source(smile), HEAD, 0.0).expression[BESIDE], smile[BESIDE])
    strong = retargeter.step(source(smile), RetargetSettings(strength=2.0), 0.1).expression
    assert strong.max() == 1.5 == model.expression_box[UNIT_NAMES.index("mouthSmileLeft"), 1]
    wink = retargeter.step(source(units(eyeBlinkLeft=0.8)), RetargetSettings(strength=2.0), 0.2).expression
    assert wink.max() == 1.0


@pytest.fixture
def wide(model):
    """Identity of a person with a wide mouth."""
    _, identity, _ = model.landmark_bases
    return 3 * np.sign(identity[:, 291, 0] - identity[:, 61, 0])


def test_the_mouth_moves_in_proportion_to_the_targets(target_info, model, wide):
    lips = Lips(model)
    ratio = lips.mouth_width(np.full(IDENTITY_SIZE, 0.1)) / lips.mouth_width(wide)
    assert ratio < 0.8
    expression = units(jawOpen=0.5)
    expression[MOUTH], expression[BROWS] = 0.5, 0.5
    speaker = FaceParameters(wide, expression, camera(), np.zeros(2))
    output = Retargeter(target_info, model).step(speaker, HEAD, 0.0).expression
    assert np.allclose(output[MOUTH], 0.5 * ratio) and np.allclose(output[BROWS], 0.5)


def test_lips_that_touch_on_the_source_touch_on_the_target(target_info, model, wide):
    """Correctives keep a wide mouth shut under an opening jaw; on a smaller mouth their smaller motion leaves a gap."""
    lips, pairs = Lips(model), (INNER_LIPS[1:10], INNER_LIPS[:10:-1])
    upper, lower = (model.landmark_bases[2][:, list(lip), 1] for lip in pairs)
    closed = units(jawOpen=0.1)
    closed[MOUTH] = -np.linalg.lstsq((upper - lower)[MOUTH].T, closed @ (upper - lower) + 0.01, rcond=0.02)[0]
    assert lips.touching(wide, closed).min() == 1
    output = Retargeter(target_info, model).step(FaceParameters(wide, closed, camera(), np.zeros(2)), HEAD, 0.0)
    scaled = closed.copy()
    scaled[MOUTH] *= lips.mouth_width(output.identity) / lips.mouth_width(wide)
    assert mouth_hole(model, replace(output, expression=scaled)) > 20
    assert mouth_hole(model, output) <= 8
    parted = FaceParameters(wide, units(jawOpen=0.5), camera(), np.zeros(2))
    assert np.allclose(Retargeter(target_info, model).step(parted, HEAD, 0.0).expression, parted.expression)


def mouth_hole(model, parameters):
    """How many pixels between the lips the NMFC leaves black, the face seen from the front."""
    view = ScaledOrthographicCamera(np.eye(3), 150.0, np.array([128.0, 90.0]))
    drawn = CpuConditioning(model, 256).render(replace(parameters, camera=view))[..., :3].any(-1)
    points = model.landmarks_of(model.shape(parameters.identity, parameters.expression))
    left, top = view.project(points[list(OUTER_LIPS)]).min(0)[:2].astype(int)
    right, bottom = view.project(points[list(OUTER_LIPS)]).max(0)[:2].astype(int)
    return int((~drawn[top:bottom, left:right]).sum())


def test_relative_mode_adds_the_change_to_the_targets_neutral(target_info, model):
    retargeter = Retargeter(target_info, model)
    resting = units(browDownLeft=0.4)
    for k in range(80):
        retargeter.step(source(resting, gaze=(5, 0)), RetargetSettings(relative=True), k / 25)
    output = retargeter.step(source(resting, gaze=(5, 0)), RetargetSettings(relative=True), 4.0)
    assert np.allclose(output.expression[BESIDE], np.array(target_info.neutral_expression)[BESIDE], atol=1e-6)
    assert np.allclose(output.gaze, [1, -1], atol=1e-6)


def test_neutral_is_found_while_the_person_talks(target_info, model):
    """The jaw rests in pauses between syllables only; a longer pause after calibration refines it further."""
    retargeter, relative = Retargeter(target_info, model), RetargetSettings(relative=True)
    neutral = np.array(target_info.neutral_expression)
    jaw = UNIT_NAMES.index("jawOpen")
    for k in range(75):
        retargeter.step(source(units(jawOpen=0.1 + 0.25 * (1 - np.cos(k / 2)))), relative, k / 25)
    assert retargeter.step(source(units(jawOpen=0.1)), relative, 3.0).expression[jaw] == pytest.approx(
        neutral[jaw], abs=0.06
    )
    for k in range(20):
        output = retargeter.step(source(units()), relative, 3 + k / 25)
    assert output.expression[jaw] == pytest.approx(neutral[jaw], abs=0.01)


def test_another_person_is_eased_over_to(target_info, model):
    retargeter = Retargeter(target_info, model)
    before = retargeter.step(source(yaw=20), HEAD, 0.0)
    retargeter.recalibrate()
    path = [retargeter.step(source(yaw=-20, scale=40), HEAD, 0.04 * k).camera for k in range(1, 12)]
    assert path[0].euler_deg[0] == pytest.approx(before.camera.euler_deg[0])
    assert path[-1].euler_deg[0] == pytest.approx(-20) and path[-1].scale == pytest.approx(25)


def test_place_is_recentered_and_clamped(target_info, model):
    retargeter = Retargeter(target_info, model)
    for k in range(50):
        still = retargeter.step(source(), HEAD, k / 25)
    assert np.allclose(still.camera.translation, [1.2 * 25, 1.1 * 25])
    moved = source()
    away = FaceParameters(
        moved.identity, moved.expression,
        type(moved.camera)(moved.camera.rotation, moved.camera.scale, moved.camera.translation + 500), moved.gaze,
    )  # fmt: skip
    output = retargeter.step(away, HEAD, 2.0)
    assert np.allclose(output.camera.translation, [(1.2 + 0.2) * 25, (1.1 + 0.1) * 25])


def test_pose_stays_where_the_target_was_seen(target_info, model):
    output = Retargeter(target_info, model).step(source(yaw=70, pitch=-50), HEAD, 0.0)
    assert np.allclose(output.camera.euler_deg[:2], [34, -19])


def test_face_only_keeps_the_targets_own_motion(target_info, model):
    settings = RetargetSettings(mode=Mode.FACE)
    retargeter = Retargeter(target_info, model)
    yaws = [
        retargeter.step(source(units(jawOpen=0.5), yaw=25), settings, k / 25).camera.euler_deg[0] for k in range(20)
    ]
    assert np.allclose(yaws[:10], range(10), atol=1e-6)  # the target's own, there …
    assert np.allclose(yaws[10:], range(9, -1, -1), atol=1e-6)  # … and back
    assert retargeter.step(source(units(jawOpen=0.5)), settings, 1.0).expression.max() == 0.5


def test_lost_face_holds_then_eases_to_rest_and_returns(target_info, model):
    retargeter = Retargeter(target_info, model)
    smile = units(mouthSmileLeft=0.8)
    last = retargeter.step(source(smile, yaw=20), HEAD, 0.0)
    held = retargeter.step(None, HEAD, 0.1)
    assert np.allclose(retargeter.step(None, HEAD, 0.5).expression, last.expression)
    assert np.allclose(held.camera.rotation, last.camera.rotation)
    path = [retargeter.step(None, HEAD, t).expression for t in np.arange(0.7, 3.0, 0.04)]
    assert np.abs(np.diff(path, axis=0))[:, BESIDE].max() < 0.05  # no jump
    assert np.allclose(path[-1], target_info.neutral_expression)
    back = [retargeter.step(source(smile), HEAD, 3.0 + t).expression for t in (0.0, 0.1, 0.3)]
    assert np.allclose(back[0], target_info.neutral_expression) and np.allclose(back[2][BESIDE], smile[BESIDE])


def test_no_face_from_the_start_shows_the_target_at_rest(target_info, model):
    output = Retargeter(target_info, model).step(None, HEAD, 0.0)
    assert np.allclose(output.expression, target_info.neutral_expression)


def test_blend_ends():
    a, b = source(units(jawOpen=0.2), yaw=0), source(units(jawOpen=0.6), yaw=20)
    assert blend(a, b, 0) is a and blend(a, b, 1) is b
    half = blend(a, b, 0.5)
    assert half.camera.euler_deg[0] == pytest.approx(10) and half.expression.max() == pytest.approx(0.4)
