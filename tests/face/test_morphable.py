from __future__ import annotations

import numpy as np
import pytest
from conftest import units
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from face.errors import UserError
from face.landmarks import (
    IBUG_68,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    MOUTH_CORNERS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    SURFACE_COUNT,
    UNIT_NAMES,
)
from face.morphable import DEFAULT_PATH, MorphableModel, Part
from face.parameters import BROWS, EXPRESSION_SIZE, IDENTITY_SIZE, MOUTH, UNITS

pytestmark = pytest.mark.fast


def test_has_what_the_design_asks_for(model):
    assert len(model.identity) == IDENTITY_SIZE and len(model.expression) == EXPRESSION_SIZE
    assert model.unit_names == UNIT_NAMES and len(IBUG_68) == 68
    assert set(np.unique(model.quad_parts)) == {p.value for p in Part}
    assert np.allclose(model.landmark_weight.sum(1), 1, atol=1e-5)


def test_shape_is_linear(model):
    rng = np.random.default_rng(0)
    identity, expression = rng.normal(size=80), rng.uniform(size=EXPRESSION_SIZE)
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


def test_each_lip_has_its_own_landmarks(model):
    """An opening jaw takes the lower lip's inner edge along, and leaves the upper lip's where it is."""
    drop = -model.landmark_bases[2][UNIT_NAMES.index("jawOpen"), :, 1]
    corner, middle = drop[list(MOUTH_CORNERS)].max(), len(INNER_LIPS) // 2
    assert drop[list(INNER_LIPS[1:middle])].max() < 0.07 < corner
    assert drop[list(INNER_LIPS[middle + 1 :])].min() > 1.5 * corner


def test_correctives_move_mouth_and_brows_alone(model):
    """Their landmarks, and the insides of the lips; eyes, teeth, ears and what lies far off stay."""
    moved = np.linalg.norm(model.expression[UNITS.stop :], axis=-1)
    others = np.unique(model.quads[model.quad_parts != Part.SKIN])
    assert np.all(moved[:, others] == 0)
    places = model.landmarks_of(model.mean)
    for rows, core in ((MOUTH, [*OUTER_LIPS, *INNER_LIPS]), (BROWS, [*LEFT_BROW, *RIGHT_BROW])):
        reach = np.linalg.norm(model.mean[:, None] - places[core][None], axis=-1).min(1)
        by_all = np.linalg.norm(model.expression[rows], axis=-1)
        assert by_all[:, reach > 0.46].max() == 0 and by_all[:, reach < 0.05].max() > 0.005
    eyes = [*LEFT_EYE, *RIGHT_EYE]
    assert np.abs(model.landmark_bases[2][UNITS.stop :, eyes]).max() < 0.004


def test_correctives_are_symmetric_or_the_opposite(model):
    one_side = [*LEFT_BROW, *OUTER_LIPS[6:10], *OUTER_LIPS[11:15]]
    other_side = [*RIGHT_BROW, *OUTER_LIPS[4:0:-1], *OUTER_LIPS[19:15:-1]]
    for direction in model.landmark_bases[2][UNITS.stop :, :, :2]:
        here, there = direction[one_side], direction[other_side] * [-1, 1]
        off = min(np.linalg.norm(here - there), np.linalg.norm(here + there))
        assert off < 0.1 * (np.linalg.norm(here) + np.linalg.norm(there))


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
    neighbors = {}
    for a, b in rim[label[rim[:, 0]] == outer]:
        neighbors.setdefault(a, []).append(b)
        neighbors.setdefault(b, []).append(a)
    assert all(len(n) == 2 for n in neighbors.values())
    corner = [
        np.dot(u := points[v] - points[a], w := points[b] - points[v]) / np.linalg.norm(u) / np.linalg.norm(w)
        for v, (a, b) in neighbors.items()
        if min(np.linalg.norm(points[v] - points[a]), np.linalg.norm(points[b] - points[v])) > 0.01
    ]
    assert np.percentile(np.degrees(np.arccos(np.clip(corner, -1, 1))), 95) < 35


def test_eyeballs(model):
    left, right = model.eye_centers(np.zeros(80))
    assert left[0] > 0 > right[0] and np.allclose(left * [-1, 1, 1], right, atol=0.02)
    assert np.allclose((left + right) / 2, 0, atol=0.02)
    assert 0.10 < model.eye_radius < 0.18


def test_missing_and_foreign_files_say_so(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        MorphableModel.load(tmp_path / "no.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="not a morphable model"):
        MorphableModel.load(tmp_path / "other.npz")
    with np.load(DEFAULT_PATH) as data:
        np.savez(tmp_path / "former.npz", **{**data, "expression": data["expression"][:52]})
    with pytest.raises(UserError, match=f"expression has 52 directions instead of {EXPRESSION_SIZE}"):
        MorphableModel.load(tmp_path / "former.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match="not a morphable model"):
        MorphableModel.load(tmp_path / "text.npz")
