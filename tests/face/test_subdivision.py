from __future__ import annotations

import numpy as np
import pytest

from face.subdivision import catmull_clark, clip_triangles

pytestmark = pytest.mark.fast

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def test_cube():
    matrix, fine = catmull_clark(QUADS, 8)
    points = matrix @ CUBE
    assert points.shape == (8 + 12 + 6, 3) and fine.shape == (24, 4)
    # Valence 3: (F + 2R + 0·P)/3 with F the mean of three face centers (1/3,1/3,1/3), R of three middles (2/3,…).
    assert np.allclose(np.abs(points[:8]), 5 / 9, atol=1e-6)
    # Edge point: mean of two ends and two face centers: (1, 1, 0), (1, 1, 0), (1, 0, 0), (0, 1, 0) → 3/4.
    assert np.allclose(np.sort(np.abs(points[8:20]), 1), [0, 0.75, 0.75], atol=1e-6)
    assert np.allclose(np.sort(np.abs(points[20:]), 1), [0, 0, 1], atol=1e-6)


def test_rows_sum_to_one_and_orientation_is_kept():
    matrix, fine = catmull_clark(QUADS, 8)
    assert np.allclose(matrix.sum(1), 1)
    points = matrix @ CUBE
    a, b, c = (points[fine[:, k]] for k in range(3))
    assert np.all(np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0)


def test_boundary_of_a_sheet_stays_on_its_line():
    grid = np.array([[x, y, 0] for y in range(3) for x in range(3)], float)
    quads = np.array([[0, 1, 4, 3], [1, 2, 5, 4], [3, 4, 7, 6], [4, 5, 8, 7]])
    points = catmull_clark(quads, 9)[0] @ grid
    assert np.allclose(points[1], [1, 0, 0]) and np.allclose(points[4], [1, 1, 0])
    assert points[:, :2].min() >= 0 and points[:, :2].max() <= 2


def test_cut_through_triangles():
    """A unit square of two triangles, cut at x = 1/4: a quarter remains, its border on the line."""
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    matrix, kept = clip_triangles(np.array([[0, 1, 2], [0, 2, 3]], np.int32), 0.25 - points[:, 0])
    cut = matrix @ points
    a, b, c = (cut[kept[:, k]] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    assert np.all(area > 0)  # orientation is kept
    assert area.sum() == pytest.approx(0.25)
    assert cut[np.unique(kept), 0].max() == pytest.approx(0.25)
    assert np.allclose(matrix.sum(1), 1)
