from __future__ import annotations

import numpy as np
import pytest

from face.raster import BACKGROUND, interpolate, rasterize, triangulate, vertex_normals

pytestmark = pytest.mark.fast


def slow_rasterize(points, triangles, height, width):
    """The definition, in plain numpy: for each pixel center, the nearest front-facing triangle that holds it."""
    y, x = np.mgrid[:height, :width] + 0.5
    index, depth = np.full((height, width), BACKGROUND), np.full((height, width), -np.inf)
    for t, corners in enumerate(triangles):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[corners].astype(np.float64)
        if (bx - ax) * (cy - ay) - (cx - ax) * (by - ay) >= 0:
            continue
        wa = (bx - x) * (cy - y) - (cx - x) * (by - y)
        wb = (cx - x) * (ay - y) - (ax - x) * (cy - y)
        wc = (ax - x) * (by - y) - (bx - x) * (ay - y)
        inside = (wa <= 0) & (wb <= 0) & (wc <= 0)
        z = np.where(inside, (wa * az + wb * bz + wc * cz) / np.where(inside, wa + wb + wc, 1), -np.inf)
        nearer = inside & (z > depth)
        index[nearer], depth[nearer] = t, z[nearer]
    return index, depth


def test_one_triangle_by_hand():
    # Right angle at the top left; pixels whose centers satisfy x + y <= 4.
    points = np.array([[0, 0, 1], [0, 4, 1], [4, 0, 1]], np.float32)
    index, depth = rasterize(points, np.array([[0, 1, 2]], np.int32), 5, 5)
    expected = np.array([[x + y + 1 <= 4 for x in range(5)] for y in range(5)])
    assert np.array_equal(index == 0, expected)
    assert np.all(depth[expected] == 1)


def test_triangles_that_face_away_are_not_drawn():
    points = np.array([[0, 0, 1], [4, 0, 1], [0, 4, 1]], np.float32)
    index, _ = rasterize(points, np.array([[0, 1, 2]], np.int32), 5, 5)
    assert np.all(index == BACKGROUND)


def test_nearer_wins_and_equal_depth_goes_to_the_lower_index():
    points = np.array([[0, 0, 1], [0, 9, 1], [9, 0, 1], [0, 0, 2], [0, 9, 2], [9, 0, 2]], np.float32)
    order = np.array([[3, 4, 5], [0, 1, 2], [3, 4, 5]], np.int32)
    index, _ = rasterize(points, order, 3, 3)
    assert np.all(index == 0)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    points = (rng.random((60, 3)) * [50, 40, 10] - [5, 5, 0]).astype(np.float32)
    triangles = rng.integers(0, 60, (80, 3)).astype(np.int32)
    index, depth = rasterize(points, triangles, 32, 40)
    slow_index, slow_depth = slow_rasterize(points, triangles, 32, 40)
    assert (index != slow_index).mean() < 0.004  # pixels on an edge may go either way in single precision
    same = (index == slow_index) & (index >= 0)
    assert np.allclose(depth[same], slow_depth[same], atol=1e-3)


def test_interpolation_is_exact_for_a_plane():
    rng = np.random.default_rng(0)
    points = (rng.random((30, 3)) * [40, 40, 5]).astype(np.float32)
    triangles = rng.integers(0, 30, (40, 3)).astype(np.int32)
    index, _ = rasterize(points, triangles, 40, 40)
    image = interpolate(points, triangles, index, points[:, :2].copy())
    rows, columns = np.where(index >= 0)
    assert np.allclose(image[rows, columns], np.stack([columns + 0.5, rows + 0.5], 1), atol=0.02)


def test_normals_of_a_cube_point_outwards():
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    normals = vertex_normals(corners, triangulate(quads))
    assert np.all(np.einsum("ij,ij->i", normals, corners) > 1.5)
