"""What networks of the experiments go by."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import camera, units

from face.parameters import IDENTITY_SIZE, FaceParameters
from offline.experiments.conditionings import draw, filled_points, without_gaze
from offline.experiments.identity import shape_distance_mm
from offline.experiments.pix2pix import frame_by_frame
from offline.experiments.scores import fast_frames, teeth_frames
from offline.experiments.transfer import Usual, filled, transferred
from offline.networks.paper_generator import PaperGenerator
from offline.synthetic.raster_people import Person

pytestmark = pytest.mark.fast


def face(identity=0.0, **weights):
    return FaceParameters(np.full(IDENTITY_SIZE, identity), units(**weights), camera(), np.zeros(2))


def test_without_gaze_the_face_stays():
    dataset = SimpleNamespace(conditionings=np.full((2, 8, 8, 6), 9, np.uint8))
    for image in without_gaze(None, dataset):
        assert (image[..., :3] == 9).all() and not image[..., 3:].any()


def test_landmarks_are_drawn_where_they_are(model):
    shown = face()
    points = shown.camera.project(model.landmarks_of(model.shape(shown.identity, shown.expression)))[:, :2]
    lines = draw(points, 256)
    assert lines.shape == (256, 256, 6) and not lines[..., 3:].any()
    rows, columns = np.nonzero(lines.any(-1))
    drawn = np.stack([columns, rows], 1) + 0.5
    for corner in (61, 291, 33, 263, 10, 152):  # mouth, eyes, forehead, chin
        assert np.linalg.norm(drawn - points[corner], axis=1).min() < 1
    assert not draw(filled_points([None], 256)[0], 256).any()


def test_a_transfer_gives_the_target_its_own_face_and_the_way_back_the_source():
    source = Usual(np.full(IDENTITY_SIZE, 0.5), 80.0, np.array([1.5, 1.2]))
    target = Usual(np.full(IDENTITY_SIZE, -0.5), 100.0, np.array([1.3, 1.1]))
    shown = face(0.5, jawOpen=0.3)
    there = transferred(shown, source, target)
    assert (there.identity == target.identity).all()
    assert there.camera.scale == pytest.approx(90 * 100 / 80)
    assert (there.expression == shown.expression).all() and (there.camera.rotation == shown.camera.rotation).all()
    usual_place = replace(shown, camera=replace(shown.camera, scale=80.0, translation=source.place * 80))
    assert transferred(usual_place, source, target).camera.translation == pytest.approx(target.place * 100)
    back = transferred(there, target, source)
    assert back.camera.scale == pytest.approx(90) and back.camera.translation == pytest.approx(shown.camera.translation)
    assert (back.identity == shown.identity).all()
    assert (transferred(shown, source, target, swap=False).identity == shown.identity).all()


def test_frames_before_the_first_face_take_it():
    first, second = face(), face(0.1)
    assert filled([None, first, second]) == [first, first, second]
    assert filled([None, None]) is None


def test_frame_by_frame_no_past_reaches_the_image():
    torch.manual_seed(0)
    generator = frame_by_frame(lambda size: PaperGenerator(size, width=4))(32)
    conditioning, previous = torch.rand(2, 18, 32, 32), torch.rand(2, 6, 32, 32)
    other = torch.cat([torch.rand(2, 12, 32, 32), conditioning[:, 12:]], 1)
    with torch.no_grad():
        image = generator(conditioning, previous)
        assert torch.equal(image, generator(other, torch.rand(2, 6, 32, 32)))
        assert not torch.equal(image, generator(torch.rand(2, 18, 32, 32), previous))


def test_a_shapes_distance_knows_no_size(model):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, IDENTITY_SIZE))
    assert shape_distance_mm(model, a, a) == pytest.approx(0, abs=1e-9)
    assert 0.5 < shape_distance_mm(model, a, b) < 20
    assert shape_distance_mm(model, a, (a + b) / 2) < shape_distance_mm(model, a, b)


def test_teeth_are_seen_where_they_are(model):
    person = Person(model, 7)
    grin = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "mouthUpperUpLeft": 0.8, "mouthUpperUpRight": 0.8}
    faces = [
        face(), face(mouthPucker=0.8), face(mouthSmileLeft=0.9, mouthSmileRight=0.9), face(jawOpen=0.6),
        face(mouthFunnel=0.6, jawOpen=0.25), face(**grin, jawOpen=0.15),
    ]  # fmt: skip
    faces = [replace(shown, identity=person.identity) for shown in faces]
    frames = np.stack([person.render(shown, 256, 256) for shown in faces])
    dataset = SimpleNamespace(frames=frames, face=faces.__getitem__)
    subject = SimpleNamespace(dataset=dataset, held_out=np.arange(6))
    assert teeth_frames(model, subject).tolist() == [False, False, False, False, True, True]


def test_the_fast_quarter_of_the_frames():
    x = np.cumsum([0, 0, 0, 0, 5, 0, 0, 6, 0, 0, 0, 0])
    places = np.stack([x, x * 0], 1).astype(float)
    subject = SimpleNamespace(dataset=SimpleNamespace(mouths=places, eyes=places), takes=[(0, 12)])
    assert np.flatnonzero(fast_frames(subject)).tolist() == [4, 7]
