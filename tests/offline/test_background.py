"""How still a background stays is measured outside the person alone."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import camera

from face.conditioning import CpuConditioning
from face.parameters import FaceParameters
from offline.evaluate.background import Silhouette, heads_of, score_background

pytestmark = pytest.mark.fast

SIZE = 128


@pytest.fixture(scope="module")
def film(model):
    """A dark head with hair that goes from side to side before a wall, its cameras, and its silhouette at rest."""
    wall = np.random.default_rng(0).normal(200, 2, (SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    renderer = CpuConditioning(model, SIZE)
    cameras = [camera(yaw=yaw, scale=40, size=SIZE) for yaw in np.linspace(-25, 25, 20)]

    def shown(seen):
        face = FaceParameters(np.zeros(80), np.zeros(72), seen, np.zeros(2))
        conditioning = renderer.render(face)
        image = wall.copy()
        x, y = (int(v) for v in seen.project(np.array([0.0, 0.0, -0.9]))[:2])
        cv2.ellipse(image, (x, y), (36, 46), 0, 0, 360, (60, 40, 30), -1)
        image[y:, x - 34 : x + 34] = (60, 40, 30)
        image[conditioning[..., :3].any(-1)] = (200, 150, 130)
        return image, conditioning

    rest = camera(scale=40, size=SIZE)
    return np.stack([shown(seen)[0] for seen in cameras]), cameras, [Silhouette(*shown(rest), rest)]


def test_a_head_that_moves_leaves_the_background_still(film):
    images, cameras, silhouettes = film
    heads = heads_of(silhouettes, cameras)
    scores = score_background(images, heads)
    assert scores.unstill == 0 and scores.background < 12
    assert 0.1 < (~heads).mean() < 0.5


def test_a_blotch_on_the_wall_is_found_in_its_frame(film):
    images, cameras, silhouettes = film
    spoilt = images.copy()
    spoilt[7, 4:12, 4:12] = 120
    scores = score_background(spoilt, heads_of(silhouettes, cameras))
    assert scores.unstill == 1 and scores.background == pytest.approx(80, abs=6)


def test_the_head_itself_may_change(film):
    images, cameras, silhouettes = film
    changed = images.copy()
    changed[:, 50:70, 55:75] = np.random.default_rng(1).integers(0, 255, (len(images), 20, 20, 3))
    assert score_background(changed, heads_of(silhouettes, cameras)).unstill == 0


def test_the_outline_of_the_nearest_yaw_counts(film):
    _, cameras, (rest,) = film
    turned = SimpleNamespace(yaw_deg=30.0, at=lambda camera: np.zeros((SIZE, SIZE), bool))
    heads = heads_of([rest, turned], cameras)
    assert [head.any() for head in heads] == [seen.euler_deg[0] < 15 for seen in cameras]
