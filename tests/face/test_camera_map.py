from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, units

from face.camera_map import CameraMap, camera_move, map_inputs, middle_of_face, moved
from face.parameters import EXPRESSION_SIZE, FaceParameters
from offline.reconstruct.camera_map_learning import learn_camera_map

pytestmark = pytest.mark.fast


def test_a_move_is_undone_by_what_measures_it(model):
    middle, start = middle_of_face(model), camera(12, -8, 5)
    move = np.array([0.02, -0.03, 0.01, 0.02, 0.01, -0.02])
    end = moved(start, move, middle)
    assert np.allclose(camera_move(start, end, middle), move)
    turned = moved(start, np.array([0.05, 0, 0, 0, 0, 0]), middle)  # about the face's middle, which stays
    assert np.allclose(turned.project(middle)[:2], start.project(middle)[:2])


def strangely_tracked(model, count, seed=0):
    """Faces as a tracker sees them whose error depends on pose and expression, and the same with true cameras."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((10 + EXPRESSION_SIZE, 6))
    weights[0] = [0.004, -0.006, 0.002, 0.005, 0.003, -0.004]  # always
    weights[1, 1], weights[3, 4], weights[5, 3] = 0.03, 0.05, 0.02  # with yaw, roll, pitch squared
    fitted = [
        FaceParameters(np.zeros(80), units(jawOpen=rng.uniform(), mouthSmileLeft=rng.uniform()),
                       camera(*rng.normal(0, [15, 8, 6])), np.zeros(2))
        for _ in range(count)
    ]  # fmt: skip
    weights[10 + np.flatnonzero(units(jawOpen=1))[0]] = [0.02, 0, 0, 0, 0, 0.01]
    middle = middle_of_face(model)
    return fitted, [replace(f, camera=moved(f.camera, map_inputs(f) @ weights, middle)) for f in fitted]


def off(model, faces, true):
    middle = middle_of_face(model)
    return np.mean([np.abs(camera_move(a.camera, b.camera, middle)) for a, b in zip(faces, true, strict=True)])


def test_a_tracker_s_way_of_being_wrong_is_learned_and_taken_back(model):
    fitted, true = strangely_tracked(model, 300)
    weights = learn_camera_map(model, fitted, true)
    others, others_true = strangely_tracked(model, 50, seed=1)
    corrected = [CameraMap(model, weights).correct(face) for face in others]
    assert off(model, corrected, others_true) < 0.15 * off(model, others, others_true)
    assert CameraMap(model, np.array([])).correct(others[0]) is others[0]  # a target without a map


def test_no_move_is_far(model):
    fitted, true = strangely_tracked(model, 100)
    wild = CameraMap(model, 1e3 * learn_camera_map(model, fitted, true))
    middle = middle_of_face(model)
    moves = np.array([camera_move(f.camera, wild.correct(f).camera, middle) for f in fitted])
    assert np.all(np.abs(moves) <= [0.0601] * 2 + [0.0401] + [0.0501] * 3)
