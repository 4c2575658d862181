"""Cameras that are known: a person is rendered with them, they are spoilt, and the frames bring them back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from face.camera_map import camera_move, middle_of_face, moved
from offline.reconstruct.pose_refinement import align_poses
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast
SIZE, FRAMES, HELD_OUT = 128, 100, 8


def film(model, count):
    """Frames, the faces they were rendered with, and those faces with cameras that are a little off."""
    person = Person(model, 5)
    true = act(person, natural_motion(FRAMES, 5), SIZE)[:count]
    frames = np.stack([person.render(face, SIZE, SIZE) for face in true])
    moves = np.random.default_rng(0).normal(0, [0.03, 0.03, 0.02, 0.016, 0.024, 0.024], (count, 6))
    middle = middle_of_face(model)
    spoilt = [replace(face, camera=moved(face.camera, m, middle)) for face, m in zip(true, moves, strict=True)]
    return frames, true, spoilt


def errors(model, faces, true):
    """How far landmarks lie from the truth in each frame, px ``[F]``, but for what all frames have in common.

    A shift or turn that all frames share is no error: it belongs to the head that they agree on.
    """
    middle = middle_of_face(model)
    moves = np.stack([camera_move(a.camera, b.camera, middle) for a, b in zip(faces, true, strict=True)])
    common = moves.mean(0)
    points = model.landmarks_of(model.mean)
    away = [moved(a.camera, common, middle).project(points) - b.camera.project(points)
            for a, b in zip(faces, true, strict=True)]  # fmt: skip
    return np.linalg.norm(np.stack(away)[..., :2], axis=-1).mean(1)


@pytest.mark.slow
def test_cameras_come_back_to_the_truth(model):
    frames, true, spoilt = film(model, FRAMES)
    aligned = align_poses(model, frames, spoilt, FRAMES - HELD_OUT)
    before, after = errors(model, spoilt, true), errors(model, aligned, true)
    for part in (slice(0, -HELD_OUT), slice(-HELD_OUT, None)):  # held-out frames too, which the texture lacks
        assert after[part].mean() < 0.7 * before[part].mean()
    assert all(np.array_equal(a.expression, b.expression) for a, b in zip(aligned, spoilt, strict=True))


def test_held_out_frames_teach_nothing(model):
    shown = 12
    frames, _, spoilt = film(model, shown + 2)
    darkened = frames.copy()
    darkened[shown:] //= 3
    aligned, again = (align_poses(model, some, spoilt, shown) for some in (frames, darkened))
    assert all(np.allclose(a.camera.rotation, b.camera.rotation) for a, b in zip(aligned[:shown], again, strict=False))
