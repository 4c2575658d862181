from __future__ import annotations

import numpy as np
import pytest

from face.camera import ScaledOrthographicCamera, estimate_camera

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("euler", "point", "image"),
    [
        ((0, 0, 0), (1, 2, 3), (10 + 5, 20 - 10, 15)),
        ((90, 0, 0), (0, 0, 1), (10 + 5, 20, 0)),  # yaw: the nose goes to the image's right
        ((0, 90, 0), (0, 0, 1), (10, 20 + 5, 0)),  # pitch: the nose goes down
        ((0, 0, 90), (0, 1, 0), (10 - 5, 20, 0)),  # roll: the crown goes to the image's left
        ((180, 0, 0), (1, 0, 0), (10 - 5, 20, 0)),
    ],
)
def test_projection_by_hand(euler, point, image):
    camera = ScaledOrthographicCamera.from_euler(np.array(euler), 5, np.array([10, 20]))
    assert np.allclose(camera.project(np.array([point], float)), [image], atol=1e-9)


def test_euler_round_trip():
    euler = np.array([25.0, -12.0, 7.0])
    assert np.allclose(ScaledOrthographicCamera.from_euler(euler, 1, np.zeros(2)).euler_deg, euler)


@pytest.mark.parametrize("seed", range(5))
def test_estimate_recovers_the_camera(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(60, 3))
    camera = ScaledOrthographicCamera.from_euler(rng.uniform(-60, 60, 3), rng.uniform(20, 200), rng.uniform(0, 300, 2))
    estimate = estimate_camera(vertices, camera.project(vertices)[:, :2], rng.uniform(0.2, 1, 60))
    assert np.allclose(estimate.rotation, camera.rotation, atol=1e-9)
    assert np.isclose(estimate.scale, camera.scale) and np.allclose(estimate.translation, camera.translation)
