from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, true_landmarks, units
from scipy.optimize import lsq_linear

from face.fit_batch import fit_video, smooth_expressions, stretches
from face.fit_per_frame import OnlineFitter
from face.fitting import (
    FitSettings,
    FrameFit,
    LandmarkBasis,
    expression_prior,
    fit_frame,
    head_camera,
    landmarks_camera,
    linearize,
    solve_box,
)
from face.landmarks import INNER_LIPS, LEFT_BROW, RIGHT_BROW, SURFACE_COUNT, UNIT_NAMES, Landmarks
from face.parameters import BROWS, EXPRESSION_SIZE, IDENTITY_SIZE, MOUTH, FaceParameters, of_units
from offline.synthetic.motion import natural_motion

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def basis(model):
    return LandmarkBasis(model)


def tracks(model, frames=60, seed=3, noise_px=0.3):
    """Landmarks of a talking head with some noise, and the truth."""
    rng = np.random.default_rng(seed)
    identity = np.clip(rng.normal(0, 0.7, 80), -2, 2)
    motion = natural_motion(frames, seed)
    truth, observed = [], []
    for expression, euler in zip(motion.expression, motion.euler_deg, strict=True):
        parameters = FaceParameters(identity, of_units(expression), camera(*euler), np.zeros(2))
        exact = true_landmarks(model, parameters, np.clip(expression + rng.normal(0, 0.05, 52), 0, 1))
        points = exact.points + rng.normal(0, noise_px, exact.points.shape)
        observed.append(Landmarks(points, exact.scores, 256, 256))
        truth.append(parameters)
    return observed, truth


def shape_error(basis, estimate, truth):
    """Mean landmark distance of two shapes over the inter-ocular distance of the truth."""
    a, b = (basis.shape(p.identity, p.expression) for p in (estimate, truth))
    a, b = a - a.mean(0), b - b.mean(0)
    return np.linalg.norm(a - b, axis=1).mean() / np.linalg.norm(b[33] - b[263])


def test_box_solver_agrees_with_scipy():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.normal(size=(40, 12)), rng.normal(size=40)
        estimate = solve_box(a.T @ a, a.T @ b, np.zeros(12), np.zeros(12), np.full(12, 0.3), 2000, 1e-10)
        assert np.allclose(estimate, lsq_linear(a, b, (0, 0.3)).x, atol=1e-5)


def test_gradient_of_the_linearization(model, basis):
    """At the estimate, the eliminated quadratic has the true energy's slope along expression (finite differences)."""
    rng = np.random.default_rng(1)
    identity, expression = rng.normal(0, 0.5, 80), of_units(rng.uniform(0.1, 0.5, len(UNIT_NAMES)))
    parameters = FaceParameters(identity, expression, camera(12, -7, 4), np.zeros(2))
    observed = true_landmarks(model, parameters, rng.uniform(0, 1, EXPRESSION_SIZE))
    observed = replace(observed, points=observed.points + rng.normal(0, 0.4, observed.points.shape))
    settings = FitSettings(outlier_noises=1e6)
    view = parameters.camera
    for _ in range(20):  # bring the camera to its optimum, where eliminating it changes nothing at first order
        view = linearize(basis, observed, view, identity, expression, settings, False).camera_at(expression)
    equations = linearize(basis, observed, view, identity, expression, settings, False)
    slope = equations.hessian @ expression - equations.gradient

    def energy(e):
        return frame_energy(basis, observed, view, identity, e, settings) / 2

    step = 0.05  # of a quadratic, whose differences are exact
    numeric = [(energy(expression + d) - energy(expression - d)) / (2 * step) for d in step * np.eye(EXPRESSION_SIZE)]
    assert np.allclose(slope, numeric, rtol=1e-3, atol=np.abs(numeric).max() * 1e-3)


def frame_energy(basis, observed, view, identity, expression, settings):
    """Eq. 2 of one frame, without outliers' weights: the landmarks' and the expression's part."""
    fitted = view.project(basis.shape(identity, expression))[:, :2]
    square = ((observed.points[:SURFACE_COUNT] - fitted) ** 2).sum(1) / view.scale**2
    prior = (expression - expression_prior(observed.scores)) / settings.expression_spread
    return (basis.weights * square).sum() / settings.landmark_noise**2 + (prior**2).sum()


def test_known_face_is_recovered(model, basis):
    truth = FaceParameters(np.zeros(80), units(jawOpen=0.6, mouthSmileLeft=0.4), camera(20, -10, 5), np.zeros(2))
    landmarks = true_landmarks(model, truth, truth.expression)
    estimate = fit_frame(basis, landmarks, truth.identity, None, FitSettings(iterations=8))
    assert np.allclose(estimate.camera.euler_deg, [20, -10, 5], atol=0.1)
    assert estimate.camera.scale == pytest.approx(90, rel=0.002)
    assert np.abs(estimate.expression - truth.expression).max() < 0.03


def lip_error(basis, fitted, points):
    """Mean distance of the inner lips over the inter-ocular distance."""
    estimate = fitted.camera.project(basis.shape(np.zeros(IDENTITY_SIZE), fitted.expression))[list(INNER_LIPS), :2]
    expected = points[list(INNER_LIPS)]
    return np.linalg.norm(estimate - expected, axis=1).mean() / np.linalg.norm(points[33] - points[263])


def test_lips_and_brows_follow_the_landmarks_whatever_the_scores_say(model, basis):
    """The tracker sees the points of a grin under a frown and scores neither: the fit goes with the points."""
    expression = units(jawOpen=0.2, mouthSmileLeft=0.9, mouthSmileRight=0.9, browDownLeft=0.8, browDownRight=0.8)
    expression[MOUTH], expression[BROWS] = np.linspace(-1.5, 1.5, MOUTH.stop - MOUTH.start), 1.0
    truth = FaceParameters(np.zeros(IDENTITY_SIZE), expression, camera(8, -5, 3), np.zeros(2))
    observed = true_landmarks(model, truth, units())
    estimate = fit_frame(basis, observed, truth.identity, None, FitSettings())
    assert lip_error(basis, estimate, observed.points) < 0.005
    brows = [*LEFT_BROW, *RIGHT_BROW]
    fitted = estimate.camera.project(basis.shape(truth.identity, estimate.expression))[brows, :2]
    assert np.linalg.norm(fitted - observed.points[brows], axis=1).mean() / observed.interocular_px < 0.005
    by_scores = FrameFit(estimate.camera, expression_prior(observed.scores))
    assert lip_error(basis, by_scores, observed.points) > 0.04


def test_the_head_nods_farther_than_its_landmarks(basis):
    observed = camera(20, -10, 5)
    head = head_camera(basis, observed, FitSettings(pitch_gain=1.3))
    assert np.allclose(head.euler_deg, [20, -13, 5]) and head.scale == observed.scale
    middle = basis.mean.mean(0)
    assert np.allclose(head.project(middle)[:2], observed.project(middle)[:2])
    back = landmarks_camera(basis, head, FitSettings(pitch_gain=1.3))
    assert np.allclose(back.rotation, observed.rotation) and np.allclose(back.translation, observed.translation)


def test_gross_outliers_hardly_matter(model, basis):
    truth = FaceParameters(np.zeros(80), units(jawOpen=0.3), camera(10, 5), np.zeros(2))
    landmarks = true_landmarks(model, truth, truth.expression)
    points = landmarks.points.copy()
    points[list(range(200, 240))] += [60, 25]  # a hand
    estimate = fit_frame(
        basis, Landmarks(points, landmarks.scores, 256, 256), truth.identity, None, FitSettings(iterations=10)
    )
    assert np.allclose(estimate.camera.euler_deg, [10, 5, 0], atol=1.0)


def test_batch_fit_of_a_talking_head(model, basis):
    observed, truth = tracks(model)
    estimate = fit_video(model, observed, FitSettings(pitch_gain=1.0))  # landmarks of the model, not of the tracker
    assert len({id(p.identity) for p in estimate}) == 1
    pose = [np.abs(f.camera.euler_deg - t.camera.euler_deg) for f, t in zip(estimate, truth, strict=True)]
    assert np.mean(pose) < 0.7 and np.max(pose) < 2.5
    assert np.mean([shape_error(basis, f, t) for f, t in zip(estimate, truth, strict=True)]) < 0.03
    assert all(np.all(p.expression >= basis.low) and np.all(p.expression <= basis.high) for p in estimate)
    assert np.abs(estimate[0].identity).max() <= FitSettings().identity_limit


def test_online_and_batch_find_nearly_the_same_shape(model, basis):
    observed, _ = tracks(model, frames=120)
    batch, fitter = fit_video(model, observed), OnlineFitter(model)
    online = [fitter.fit(landmarks) for landmarks in observed]
    difference = [shape_error(basis, a, b) for a, b in zip(online[80:], batch[80:], strict=True)]
    assert np.mean(difference) < 0.012


def test_identity_is_fixed_after_calibration_until_asked_again(model):
    observed, _ = tracks(model, frames=100)
    fitter = OnlineFitter(model)
    estimate = [fitter.fit(landmarks) for landmarks in observed]
    assert fitter.calibration == 1
    assert np.array_equal(estimate[80].identity, estimate[99].identity)
    fitter.recalibrate()
    assert fitter.calibration == 0
    assert not np.array_equal(fitter.fit(observed[0]).identity, estimate[99].identity)


def test_a_known_person_stays_known(model):
    known = np.linspace(-1, 1, 80)
    fitter = OnlineFitter(model, identity=known)
    frame = true_landmarks(model, FaceParameters(known, units(), camera(), np.zeros(2)), units())
    for _ in range(2):
        assert fitter.calibration == 1 and np.array_equal(fitter.fit(frame).identity, known)
        fitter.recalibrate()


def test_frames_without_a_face_stay_empty(model):
    observed, _ = tracks(model, frames=12)
    observed[5] = None
    estimate = fit_video(model, observed)
    assert estimate[5] is None and all(estimate[k] is not None for k in range(12) if k != 5)
    assert fit_video(model, [None, None]) == [None, None]


def test_smoothing_minimizes_its_energy():
    """Against the dense solution of the same quadratic, where no bound is active."""
    rng = np.random.default_rng(0)
    frames, count, weight = 7, 3, 5.0
    roots = rng.normal(size=(frames, count, count))
    hessians = np.einsum("fij,fkj->fik", roots, roots) + np.eye(count)
    expected = rng.uniform(0.3, 0.7, (frames, count))
    gradients = np.einsum("fij,fj->fi", hessians, expected)
    estimate = np.full((frames, count), 0.5)
    smooth_expressions(hessians, gradients, estimate, np.zeros(count), np.ones(count), weight, 400)
    second = np.zeros((frames - 2, frames))
    for k in range(frames - 2):
        second[k, k : k + 3] = 1, -2, 1
    dense = np.kron(second.T @ second, np.eye(count)) * weight
    for f in range(frames):
        dense[f * count : (f + 1) * count, f * count : (f + 1) * count] += hessians[f]
    assert np.allclose(estimate.ravel(), np.linalg.solve(dense, gradients.ravel()), atol=2e-3)


def test_smoothing_removes_jitter(model):
    observed, _ = tracks(model, frames=40, noise_px=0.6)
    jitter = lambda fits: np.abs(np.diff([p.expression for p in fits], 2, axis=0)).mean()  # noqa: E731
    smooth = jitter(fit_video(model, observed))
    rough = jitter(fit_video(model, observed, FitSettings(smoothness_spread=100.0)))
    assert smooth < 0.8 * rough


def test_stretches():
    assert stretches([False, True, True, False, True]) == [(1, 3), (4, 5)]
    assert stretches([]) == [] and stretches([False]) == []
