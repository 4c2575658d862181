from __future__ import annotations

import numpy as np
import pytest
from conftest import camera, units

from face.conditioning import CpuConditioning
from face.gaze_image import GazeRenderer, draw_eye
from face.nmfc import NmfcRenderer, nmfc_colors
from face.parameters import FaceParameters, gaze_rotation

pytestmark = pytest.mark.fast


def face(expression=None, gaze=(0, 0), identity=None, **pose):
    return FaceParameters(
        np.zeros(80) if identity is None else identity, units() if expression is None else expression,
        camera(**pose), np.array(gaze, float),
    )  # fmt: skip


def drawn(renderer, parameters, size=256):
    image = np.zeros((size, size, 3), np.uint8)
    renderer.draw(parameters, image)
    return image


def test_same_point_same_color_whatever_person_pose_and_expression(model):
    """Eq. 3: the color under a landmark does not change."""
    renderer = NmfcRenderer(model)
    rng = np.random.default_rng(0)
    seen = []
    for k in range(6):
        identity = rng.normal(0, 0.7, 80) if k else np.zeros(80)
        expression = units(mouthSmileLeft=0.2 * k, browInnerUp=0.1 * k)
        parameters = face(expression, identity=identity, yaw=-15 + 5 * k, scale=150, size=400)
        image = drawn(renderer, parameters, 400)
        points = model.landmarks_of(model.shape(identity, parameters.expression))[[4, 50, 280, 151, 199]]
        x, y = parameters.camera.project(points)[:, :2].astype(int).T
        seen.append(image[y, x].astype(int))
    assert np.ptp(np.array(seen), axis=0).max() <= 14  # a triangle or two of 255


def test_background_is_zero_and_the_face_never(model):
    image = drawn(NmfcRenderer(model), face())
    covered = image.any(-1)
    assert 0.10 < covered.mean() < 0.45
    assert image[covered].min() >= 1
    assert nmfc_colors(model).min() == 1 and nmfc_colors(model).max() == 255


def test_red_grows_to_the_right_green_upwards_blue_towards_the_viewer(model):
    image = drawn(NmfcRenderer(model), face()).astype(int)
    rows, columns = np.where(image.any(-1))
    assert np.corrcoef(columns, image[rows, columns, 0])[0, 1] > 0.98
    assert np.corrcoef(-rows, image[rows, columns, 1])[0, 1] > 0.98
    nose = image[..., 2] > 240
    assert abs(np.where(nose)[1].mean() - 128) < 4


def test_mouth_and_eyes_are_holes(model):
    closed, opened = (drawn(NmfcRenderer(model), face(e)).any(-1).sum() for e in (units(), units(jawOpen=1)))
    image = drawn(NmfcRenderer(model), face(units(jawOpen=1)))
    center = face(units(jawOpen=1)).camera.project(
        model.landmarks_of(model.shape(np.zeros(80), units(jawOpen=1)))[[13, 14]].mean(0, keepdims=True)
    )[0]
    assert not image[int(center[1]), int(center[0])].any()
    assert closed > 0 and opened > 0


def test_deterministic(model):
    parameters = face(units(jawOpen=0.5), yaw=20, pitch=5)
    first, second = (CpuConditioning(model, 256).render(parameters) for _ in range(2))
    assert first.shape == (256, 256, 6) and first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_eye_drawing_covers_the_right_area():
    image = np.zeros((40, 40, 3), np.uint8)
    square = np.array([[10.0, 12], [30, 12], [30, 28], [10, 28]])
    draw_eye(image, square, np.array([20.0, 20]), 6.0, 2.5)
    assert image[..., 0].sum() / 255 == pytest.approx(20 * 16, rel=0.02)
    assert image[..., 1].sum() / 255 == pytest.approx(np.pi * 36, rel=0.03)
    assert image[..., 2].sum() / 255 == pytest.approx(np.pi * 6.25, rel=0.06)


def test_iris_stays_within_the_lids():
    image = np.zeros((40, 40, 3), np.uint8)
    slit = np.array([[10.0, 19], [30, 19], [30, 21], [10, 21]])
    draw_eye(image, slit, np.array([20.0, 20]), 6.0, 2.5)
    assert not image[:17].any() and not image[23:].any()


def test_iris_moves_with_the_gaze(model):
    renderer = GazeRenderer(model)

    def center(gaze):
        green = drawn(renderer, face(gaze=gaze, scale=200, size=512), 512)[..., 1].astype(float)
        y, x = np.mgrid[:512, :512]
        return (x * green).sum() / green.sum(), (y * green).sum() / green.sum()

    assert center((15, 0))[0] - center((-15, 0))[0] > 8
    assert center((0, -8))[1] > center((0, 8))[1]


def test_gaze_rotation_by_hand():
    assert np.allclose(gaze_rotation(np.array([90.0, 0]))[:, 2], [1, 0, 0], atol=1e-12)
    assert np.allclose(gaze_rotation(np.array([0, 90.0]))[:, 2], [0, 1, 0], atol=1e-12)


def test_face_outside_the_image_draws_nothing(model):
    parameters = face()
    far = FaceParameters(
        parameters.identity, parameters.expression,
        type(parameters.camera)(parameters.camera.rotation, 90.0, np.array([5000.0, 5000.0])), parameters.gaze,
    )  # fmt: skip
    assert not CpuConditioning(model, 128).render(far).any()
