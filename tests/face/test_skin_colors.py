"""Colors under a face's landmarks, and how much they differ from the usual."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from face.landmarks import EYE_CORNERS, inner_face
from face.skin_colors import COVERED, SkinColors, skin_colors

pytestmark = pytest.mark.fast


@pytest.fixture
def points():
    """Points of a face 170 px wide, turned by 20°, some near the image's border."""
    rng = np.random.default_rng(3)
    across = np.radians(20)
    turn = np.array([[np.cos(across), -np.sin(across)], [np.sin(across), np.cos(across)]])
    upright = rng.uniform(-85, 85, (478, 2))
    upright[list(EYE_CORNERS)] = [[-40, 0], [40, 0]]
    return upright @ turn.T + [130, 120]


def test_a_color_is_the_mean_of_a_square_turned_with_the_face(points):
    """Against OpenCV: the face cut out upright, blurred, and read."""
    rng = np.random.default_rng(4)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (256, 256, 3)), (0, 0), 5)
    image = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    step = np.ptp(points, axis=0).max() / 85
    turned = cv2.getRotationMatrix2D((130, 120), 20, 1 / step)
    turned[:, 2] += 200 - np.array([130, 120])
    upright = cv2.blur(cv2.warpAffine(image, turned, (400, 400), borderMode=cv2.BORDER_REPLICATE), (5, 5))
    places = np.round(points[:468] @ turned[:, :2].T + turned[:, 2] - 0.5).astype(int)
    expected = upright[places[:, 1], places[:, 0]].astype(float)
    inside = (points[:468] > 12).all(1) & (points[:468] < 244).all(1)
    found = skin_colors(image, points)[inside]
    assert np.abs(found - expected[inside]).mean() < 2
    assert np.abs(found - expected[inside][::-1]).mean() > 20  # elsewhere the image has other colors


def test_the_lights_color_does_not_count_and_what_covers_does():
    rng = np.random.default_rng(5)
    usual = rng.integers(60, 200, (468, 3)).astype(np.uint8)
    colors = SkinColors()
    assert not colors.follow(usual, 0.0).any()
    warm = (usual * [1.0, 0.9, 0.8]).astype(np.uint8)
    assert colors.follow(warm, 0.0).max() < 0.05
    covered = warm.copy()
    covered[inner_face()[:40]] = 5
    seen = colors.follow(covered, 0.0) > COVERED
    assert seen[inner_face()[:40]].all() and seen.sum() == 40
    assert colors.unlikeness(warm) < 0.05 < 0.2 < colors.unlikeness(usual[::-1].copy())
