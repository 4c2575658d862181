"""Where a person's teeth lie is found from footage, kept in dataset and target, and left out where it is not wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, units

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.mouth_parts import TeethPlacement
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.target import read_info, write_onnx
from live.target_loading import load_target
from offline.dataset.dataset import Dataset
from offline.export.options import TargetLabels
from offline.export.target_info import describe
from offline.reconstruct.teeth import USUAL, place_teeth
from offline.redraw import redraw

pytestmark = pytest.mark.slow
SIZE = 192
LABELS = TargetLabels("someone", "Someone", "invented")


def talking(count: int) -> list[FaceParameters]:
    """Faces that open the mouth, smile and turn."""
    rng = np.random.default_rng(3)
    faces = []
    for _ in range(count):
        smile, raised = rng.uniform(0, 1, 2)
        expression = units(jawOpen=rng.uniform(0, 0.6), mouthSmileLeft=smile, mouthSmileRight=smile,
                           mouthUpperUpLeft=raised, mouthUpperUpRight=raised,
                           mouthLowerDownLeft=raised, mouthLowerDownRight=raised)  # fmt: skip
        pose = camera(*rng.normal(0, 10, 3), scale=80, size=SIZE)
        faces.append(FaceParameters(np.zeros(80), expression, pose, np.zeros(2)))
    return faces


def filmed(model, faces, teeth: TeethPlacement | None) -> np.ndarray:
    """Images that are bright where teeth are, dim in the mouth and between on the skin."""
    plain, drawn = CpuConditioning(model, SIZE), CpuConditioning(model, SIZE, teeth)
    frames = []
    for face in faces:
        skin, shown = (renderer.render(face)[..., :3] for renderer in (plain, drawn))
        teeth_only = (shown != skin).any(-1) & (shown[..., 1] <= 26)
        gray = np.where(teeth_only, 200, np.where(skin.any(-1), 110, 40)).astype(np.uint8)
        frames.append(np.repeat(gray[..., None], 3, -1))
    return np.stack(frames)


@pytest.mark.parametrize("true", [TeethPlacement(0.03, 0.0, 1.08, -0.02), TeethPlacement(-0.03, 0.02, 1.0, 0.04)])
def test_teeth_are_found_where_they_are(model, true):
    faces = talking(60)
    found = place_teeth(model, filmed(model, faces, true), faces)
    assert found.up == pytest.approx(true.up, abs=0.012)  # dm
    assert found.lower == pytest.approx(true.lower, abs=0.02)
    assert found.scale == pytest.approx(true.scale, abs=0.06)  # how wide the arch is seldom shows


def test_without_teeth_in_the_footage_the_usual_place_is_taken(model, capsys):
    faces = talking(60)
    assert place_teeth(model, filmed(model, faces, None), faces) == USUAL
    assert "shows no teeth" in capsys.readouterr().out
    closed = [replace(face, expression=np.zeros(EXPRESSION_SIZE)) for face in faces]
    assert place_teeth(model, filmed(model, closed, None), closed) == USUAL
    assert "hardly shows the mouth open" in capsys.readouterr().out


def test_teeth_go_from_dataset_to_target_to_the_live_loop(dataset_folder, model, network, tmp_path):
    dataset = Dataset(dataset_folder, model)
    assert dataset.teeth is not None
    info = replace(describe(dataset, "compact", LABELS), size=64)
    assert TeethPlacement.of(info.teeth) == dataset.teeth
    write_onnx(tmp_path / "someone.onnx", network, info)
    loaded = load_target(tmp_path / "someone.onnx", model)
    face = replace(info.resting(), expression=units(jawOpen=1), camera=camera(scale=40, size=64))
    expected, bare = (CpuConditioning(model, 64, teeth).render(face) for teeth in (dataset.teeth, None))
    assert (expected != bare).any()
    assert np.array_equal(loaded.renderer.render(face), expected)
    assert np.array_equal(loaded.renderer.clone().render(face), expected)


def test_an_old_target_draws_none(model, network, tmp_path, target_info):
    write_onnx(tmp_path / "old.onnx", network, target_info)
    assert read_info(tmp_path / "old.onnx", model.hash).teeth == []
    face = replace(target_info.resting(), expression=units(jawOpen=1), camera=camera(scale=40, size=64))
    drawn = load_target(tmp_path / "old.onnx", model).renderer.render(face)
    assert np.array_equal(drawn, CpuConditioning(model, 64).render(face))


def test_a_dataset_is_redrawn_without_and_with_teeth(dataset_folder, model, tmp_path):
    dataset = Dataset(dataset_folder, model)
    redraw(dataset, tmp_path / "without", teeth=False)
    without = Dataset(tmp_path / "without", model)
    assert without.teeth is None and describe(without, "compact", LABELS).teeth == []
    assert without.fingerprint != dataset.fingerprint
    assert np.array_equal(without.frames, dataset.frames)
    assert np.array_equal(without.conditionings[3], CpuConditioning(model, 128).render(dataset.face(3)))
    redraw(without, tmp_path / "again", teeth=True)
    again = Dataset(tmp_path / "again", model)
    assert again.teeth == dataset.teeth and np.array_equal(again.conditionings, dataset.conditionings)
    with pytest.raises(UserError, match="the dataset itself"):
        redraw(dataset, dataset.folder, teeth=False)
