from __future__ import annotations

import numpy as np
import pytest
from conftest import units
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from face.errors import FaceError
from face.landmarks import IBUG_68, INNER_LIPS, LEFT_EYE, RIGHT_EYE, SURFACE_COUNT, UNIT_NAMES
from face.morphable import MorphableModel, Part

pytestmark = pytest.mark.unit


def test_has_what_the_design_asks_for(model):
    assert model.identity.shape[0] >= 80 and model.expression.shape[0] >= 52
    assert model.unit_names == UNIT_NAMES and len(IBUG_68) == 68
    assert set(np.unique(model.quad_parts)) == {p.value for p in Part}
    assert np.allclose(model.landmark_weight.sum(1), 1, atol=1e-5)


def test_shape_is_linear(model):
    rng = np.random.default_rng(0)
    identity, expression = rng.normal(size=80), rng.uniform(size=52)
    by_hand = (
        model.mean
        + np.einsum("k,kvc->vc", identity, model.identity)
        + np.einsum("k,kvc->vc", expression, model.expression)
    )
    assert np.allclose(model.shape(identity, expression), by_hand, atol=1e-4)


def test_landmarks_are_symmetric_and_in_order(model):
    points = model.landmarks_of(model.mean)
    assert np.allclose(points[LEFT_EYE, :] * [-1, 1, 1], points[RIGHT_EYE, :], atol=0.03)
    assert abs(points[1, 0]) < 0.01 and points[1, 2] == pytest.approx(points[:SURFACE_COUNT, 2].max(), abs=0.08)
    assert points[152, 1] < points[17, 1] < points[0, 1] < points[1, 1] < points[168, 1] < points[10, 1]


def test_jaw_opens_the_inner_lips_and_blink_closes_the_eye(model):
    gap = lambda e: np.ptp(model.landmarks_of(model.shape(np.zeros(80), e))[list(INNER_LIPS), 1])  # noqa: E731
    assert gap(units(jawOpen=1)) > gap(units()) + 0.2

    def height(e):
        points = model.landmarks_of(model.shape(np.zeros(80), e))
        return points[386, 1] - points[374, 1]

    assert height(units(eyeBlinkLeft=1)) < 0.35 * height(units())
    assert height(units(eyeBlinkRight=1)) == pytest.approx(height(units()), abs=1e-3)


def test_nmfc_region_is_the_outer_face(model):
    """It holds nose, forehead and chin, and neither eyeballs, teeth, mouth nor ears."""
    quads = np.where(model.nmfc_quads)[0]
    assert np.all(model.quad_parts[quads // 4] == Part.SKIN)
    fine = model.subdivision @ model.mean
    region = fine[np.unique(model.nmfc_triangles)]
    points = model.landmarks_of(model.mean)
    for k in (1, 10, 152, 50, 280, 0, 17):
        assert np.linalg.norm(region - points[k], axis=1).min() < 0.05
    assert np.abs(region[:, 0]).max() < 0.85
    behind_lips = (np.abs(region[:, 0]) < 0.2) & (np.abs(region[:, 1] - points[13, 1]) < 0.15)
    assert region[behind_lips, 2].min() > points[13, 2] - 0.25


def test_nmfc_mesh_is_cut_cleanly(model):
    """One outer border, and holes for eyes and mouth: four closed curves, none with teeth."""
    matrix, triangles = model.nmfc_mesh
    points = matrix @ model.mean
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    edges, uses = np.unique(sides, axis=0, return_counts=True)
    rim = edges[uses == 1]
    assert uses.max() == 2
    count, label = connected_components(coo_matrix((np.ones(len(rim)), rim.T), shape=(len(points),) * 2))
    sizes = np.bincount(label)
    assert (sizes > 1).sum() == 4
    outer = label[rim[np.argmax(np.abs(points[rim[:, 0], 1])), 0]]
    neighbours = {}
    for a, b in rim[label[rim[:, 0]] == outer]:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    assert all(len(n) == 2 for n in neighbours.values())
    corner = [
        np.dot(u := points[v] - points[a], w := points[b] - points[v]) / np.linalg.norm(u) / np.linalg.norm(w)
        for v, (a, b) in neighbours.items()
        if min(np.linalg.norm(points[v] - points[a]), np.linalg.norm(points[b] - points[v])) > 0.01
    ]
    assert np.percentile(np.degrees(np.arccos(np.clip(corner, -1, 1))), 95) < 35


def test_eyeballs(model):
    left, right = model.eye_centres(np.zeros(80))
    assert left[0] > 0 > right[0] and np.allclose(left * [-1, 1, 1], right, atol=0.02)
    assert np.allclose((left + right) / 2, 0, atol=0.02)
    assert 0.10 < model.eye_radius < 0.18


def test_missing_and_foreign_files_say_so(tmp_path):
    with pytest.raises(FaceError, match="is missing"):
        MorphableModel.load(tmp_path / "no.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(FaceError, match="not a morphable model"):
        MorphableModel.load(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(FaceError, match="not a morphable model"):
        MorphableModel.load(tmp_path / "text.npz")
