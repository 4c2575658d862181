from __future__ import annotations

import numpy as np
import pytest

from offline.dataset.augmentation import Augmentation, Similarity
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast
SIZE = 128


def test_a_quarter_turn_by_hand():
    turn = Similarity(4, 1.0, 90.0, np.zeros(2))
    assert np.allclose(turn.points(np.array([[0.5, 0.5], [3.5, 0.5]])), [[3.5, 0.5], [3.5, 3.5]])
    image = np.zeros((4, 4, 3), np.uint8)
    image[0, 1] = 200
    assert np.argwhere(turn.image(image)[..., 0]).tolist() == [[1, 3]]


def test_the_moved_face_is_where_the_moved_image_shows_it(model):
    person = Person(model, 3)
    face = act(person, natural_motion(20, 3), SIZE)[11]
    move = Similarity(
        SIZE,
        1.12,
        3.0,  # the light does not turn with the image, but that is little
        np.array([5.0, -3.0]),
    )
    moved = move.image(person.render(face, SIZE, SIZE)).astype(int)
    drawn = person.render(move.face(face), SIZE, SIZE)
    assert np.allclose(person.landmarks(move.face(face)), move.points(person.landmarks(face)), atol=1e-6)
    inner = np.zeros((SIZE, SIZE), bool)
    x, y = np.round(person.landmarks(move.face(face)).mean(0)).astype(int)
    inner[y - 20 : y + 20, x - 20 : x + 20] = True  # the backdrop does not turn when drawn
    assert np.abs(moved - drawn)[inner].mean() < 4
    assert np.abs(person.render(face, SIZE, SIZE).astype(int) - drawn)[inner].mean() > 12


def test_drawn_moves_are_as_wide_as_asked():
    assert Augmentation().draw(np.random.default_rng(0), SIZE) is None
    asked = Augmentation(zoom=0.05, turn_deg=3.0, shift=0.02)
    rng = np.random.default_rng(0)
    moves = [asked.draw(rng, SIZE) for _ in range(400)]
    for values, spread in (
        ([np.log(m.factor) for m in moves], 0.05),
        ([m.turn_deg for m in moves], 3.0),
        ([m.shift_px[0] for m in moves], 0.02 * SIZE),
    ):
        assert np.abs(values).max() <= 2 * spread + 1e-9
        assert np.std(values) == pytest.approx(0.9 * spread, rel=0.15)
