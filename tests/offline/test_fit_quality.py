from __future__ import annotations

import numpy as np
import pytest
from conftest import true_landmarks, units

from face.camera import ScaledOrthographicCamera
from face.fit_per_frame import OnlineFitter
from face.fitting import FitSettings
from face.follow_person import LiveFit
from face.landmarks import INNER_LIPS
from face.parameters import FaceParameters
from offline.evaluate.fit_quality import MOVEMENTS, compare, fit_quality, line, live_fit
from offline.tracked import track

pytestmark = pytest.mark.slow

FRAMES = 40
CONSECUTIVE = np.ones(FRAMES - 2, bool)


@pytest.fixture(scope="module")
def talking(model):
    """Landmarks ``[F, 468, 2]`` px of a face that moves its mouth and brows."""
    rng = np.random.default_rng(0)
    view = ScaledOrthographicCamera(np.eye(3), 90.0, np.full(2, 128.0))
    frames = []
    for k in range(FRAMES):
        expression = units(
            jawOpen=0.5 + 0.5 * np.sin(k / 3), mouthSmileLeft=0.5 + 0.5 * np.sin(k / 5),
            mouthUpperUpLeft=rng.uniform(), mouthUpperUpRight=rng.uniform(), browDownLeft=rng.uniform(),
            browInnerUp=rng.uniform(),
        )  # fmt: skip
        parameters = FaceParameters(np.zeros(80), expression, view, np.zeros(2))
        frames.append(true_landmarks(model, parameters, expression).points[:468])
    return np.stack(frames)


def test_a_perfect_fit(talking):
    found = compare(talking, talking.copy(), CONSECUTIVE)
    assert set(found.slopes) == set(MOVEMENTS)
    assert np.allclose([*found.slopes.values(), *found.correlations.values()], 1)
    assert found.inner_lips == found.inner_face == 0 and found.jitter == 1


def test_lips_that_move_half_as_far(talking):
    half = talking.copy()
    middle = (talking[:, 13] + talking[:, 14]) / 2
    half[:, 13], half[:, 14] = (talking[:, 13] + middle) / 2, (talking[:, 14] + middle) / 2
    found = compare(talking, half, CONSECUTIVE)
    assert found.slopes["gap"] == pytest.approx(0.5) and found.correlations["gap"] == pytest.approx(1)
    assert found.slopes["width"] == pytest.approx(1)
    assert found.inner_lips > found.inner_face > 0


def test_a_constant_offset_is_an_error_but_no_lag(talking):
    interocular = np.linalg.norm(talking[:, 33] - talking[:, 263], axis=-1).mean()
    found = compare(talking, talking + [0.03 * interocular, 0], CONSECUTIVE)
    assert np.allclose(list(found.slopes.values()), 1)
    assert found.inner_face == pytest.approx(0.03, rel=0.02) and found.inner_lips == pytest.approx(0.03, rel=0.02)
    assert found.jitter == pytest.approx(1)


def test_lips_count_only_in_open_frames(talking):
    closed = talking.copy()
    closed[: FRAMES // 2, 13] = closed[: FRAMES // 2, 14]
    fitted = closed.copy()
    fitted[: FRAMES // 2, list(INNER_LIPS)] += 5.0
    assert compare(closed, fitted, CONSECUTIVE).inner_lips == 0
    closed[:, 13] = closed[:, 14]
    found = compare(closed, fitted, CONSECUTIVE)
    assert np.isnan(found.inner_lips) and np.isnan(found.slopes["gap"]) and np.isnan(found.correlations["gap"])
    assert "still" in line("name", "live", FRAMES, found, 1.0)


def test_jitter_is_of_frames_that_follow_each_other(talking):
    shaken = talking + np.where(np.arange(FRAMES) == 20, 3.0, 0.0)[:, None, None]
    apart = ~np.isin(np.arange(FRAMES - 2), (18, 19, 20))
    assert compare(talking, shaken, CONSECUTIVE).jitter > 1.1
    assert compare(talking, shaken, apart).jitter == pytest.approx(1)


def test_the_camera_that_is_measured_is_the_fits_own(model):
    """The drawn one is smoothed, and a head that trembles lags behind its landmarks."""
    angles = np.random.default_rng(0).normal(0, 1, 6)
    views = [ScaledOrthographicCamera.from_euler(np.array([a, 0, 0]), 90.0, np.full(2, 128.0)) for a in angles]
    faces = [FaceParameters(np.zeros(80), units(), view, np.zeros(2)) for view in views]
    video = [true_landmarks(model, face, face.expression) for face in faces]
    fitter, drawn = OnlineFitter(model), LiveFit(model)
    expected = [fitter.fit(landmarks).camera.rotation for landmarks in video]
    fitted, _ = live_fit(model, video, FitSettings())
    assert np.allclose([face.camera.rotation for face in fitted], expected)
    smoothed = [drawn.step(landmarks, k / 25).camera.rotation for k, landmarks in enumerate(video)]
    assert not np.allclose(smoothed, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["lp_d0.mp4", "studio_noor_acted.mp4"])
def test_lips_and_brows_of_real_faces_are_carried(model, clip, name):
    """The live fit's figures on clips; expression that stays at the tracker's scores reaches 0.6, 0.5 and 0.5."""
    live, _, _ = fit_quality(model, track(clip(name)))
    for movement in ("gap", "width", "raise"):
        assert live.slopes[movement] > 0.9 and live.correlations[movement] > 0.95
    assert live.slopes["brow height"] > 0.8 and live.slopes["brow distance"] > 0.8
    assert live.inner_lips < 0.01 and live.inner_face < 0.012
