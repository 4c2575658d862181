from __future__ import annotations

import numpy as np
import pytest
from conftest import camera

from face.camera_map import middle_of_face
from face.smoothing import CameraFilter, OneEuroFilter

pytestmark = pytest.mark.fast
NOISE_DEG, NOISE_PX = 0.15, 0.15


def followed(model, yaws, rng, rate=25.0):
    """Yaw (degrees) and the middle's place (px) as the filter gives them, and as they truly are."""
    middle, steady = middle_of_face(model), CameraFilter(middle_of_face(model))
    observed, true = [], []
    for k, yaw in enumerate(yaws):
        there = camera(yaw)
        noisy = camera(*(np.array([yaw, 0, 0]) + rng.normal(0, NOISE_DEG, 3)))
        noisy = type(noisy)(noisy.rotation, noisy.scale, noisy.translation + rng.normal(0, NOISE_PX, 2))
        out = steady.smooth(noisy, k / rate)
        observed.append([out.euler_deg[0], *out.project(middle)[:2]])
        true.append([yaw, *there.project(middle)[:2]])
    return np.array(observed), np.array(true)


def test_a_still_head_rests(model):
    observed, _ = followed(model, np.zeros(200), np.random.default_rng(0))
    noise = np.array([NOISE_DEG, NOISE_PX, NOISE_PX]) * np.sqrt(6)
    assert np.all(np.diff(observed[20:], 2, axis=0).std(0) < 0.5 * noise)


def test_a_turning_head_is_kept_up_with(model):
    yaws = 15 * np.sin(2 * np.pi * np.arange(200) / 25 / 1.6)  # at most 59 degrees a second
    observed, true = followed(model, yaws, np.random.default_rng(1))
    late = -np.gradient(true[:, 0]) @ (observed[:, 0] - true[:, 0]) / (np.gradient(true[:, 0]) ** 2).sum()
    assert abs(late) < 0.3  # frames


def test_two_frames_of_one_time_are_no_motion(model):
    steady = CameraFilter(middle_of_face(model))
    first = steady.smooth(camera(10), 1.0)
    assert np.allclose(steady.smooth(camera(20), 1.0).rotation, first.rotation)
    steady.reset()
    assert np.allclose(steady.smooth(camera(20), 1.0).rotation, camera(20).rotation)


def test_points_are_filtered_as_the_paper_says():
    """Casiez, Roussel and Vogel 2012, equations 1 to 9, in plain numbers; speed in the thing's own size."""
    rng = np.random.default_rng(2)
    frames = np.cumsum(rng.normal(0, 0.5, (12, 30, 2)), axis=0) + rng.uniform(0, 100, (30, 2))
    one_euro = OneEuroFilter()
    filtered = [one_euro.smooth(points, k / 25) for k, points in enumerate(frames)]

    def alpha(cut_off_hz):
        return 1 / (1 + (1 / (2 * np.pi * cut_off_hz)) / 0.04)

    smooth, speed = frames[0], np.zeros((30, 2))
    for before, now, result in zip(frames, frames[1:], filtered[1:], strict=False):
        size = (np.ptp(now[:, 0]) + np.ptp(now[:, 1])) / 2
        speed = speed + alpha(1.0) * ((now - before) / size / 0.04 - speed)
        smooth = smooth + alpha(0.05 + 300 * np.abs(speed)) * (now - smooth)
        assert np.allclose(result, smooth)
