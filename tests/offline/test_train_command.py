"""From a video to a target, by one command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from training_profiles import SMALL_PAPER, profile

from face.target import read_info
from face.video import VideoReader, VideoWriter
from offline import distill, learn, reenact, train
from offline.dataset.dataset import Dataset
from offline.evaluate import evaluation as evaluate
from offline.export.options import TargetLabels
from offline.export.target_export import export
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act
from offline.training.perceptual_loss import PyramidDistance
from offline.training.profiles import COMPACT, PROFILES, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.slow


def assert_self_reenactment_draws_what_training_drew(model, folder):
    """The person's own video, driven live, gives the conditionings of the dataset but for the fit over the whole."""
    dataset = Dataset(folder / "work" / "dataset", model)
    info = read_info(folder / "someone.onnx", model.hash)
    frames = list(reenact.reenact(model, folder / "someone.onnx", info, folder / "talk.mp4", reenact.SELF))
    assert len(frames) == len(dataset.frames)
    drawn = np.stack([frame.source.conditioning[..., :3].any(-1) for frame in frames])
    wanted = dataset.conditionings[..., :3].any(-1)
    assert (drawn & wanted).sum() / (drawn | wanted).sum() > 0.9


def test_one_command_from_video_to_target(model, tmp_path, monkeypatch, capsys, short_videos):
    person = Person(model, 7)
    with VideoWriter(tmp_path / "talk.mp4", 25) as writer:
        for parameters in act(person, natural_motion(12, 70), 256):
            writer.write(person.render(parameters, 256, 256))
    quick = profile(COMPACT, (3, 2, Weights(l1=1.0)))
    monkeypatch.setitem(PROFILES, "compact", quick)
    monkeypatch.setattr(learn, "load_perceptual", lambda *_: PyramidDistance())
    command = ["train", str(tmp_path / "talk.mp4"), "--name", "someone", "--provenance", "invented",
               "--footage", "rendered", "--permission", "ours", "--permitted-by", "its maker", "--size", "64",
               "--out", str(tmp_path / "work"), "--targets", str(tmp_path)]  # fmt: skip
    monkeypatch.setattr("sys.argv", command)
    assert train.main() == 0
    assert read_info(tmp_path / "someone.onnx", model.hash).name == "someone"
    assert {p.name for p in (tmp_path / "work" / "run").iterdir() if "tfevents" not in p.name} == {
        "checkpoint.pt", "config.json", "samples", ".lock"
    }  # fmt: skip
    scores = json.loads((tmp_path / "work" / "report" / "scores.json").read_text())
    assert 0 < scores["apd"] < 255 and (tmp_path / "work" / "report" / "sheet.png").exists()
    monkeypatch.setattr("sys.argv", [
        "reenact", "--target", str(tmp_path / "someone.onnx"), "--source", str(tmp_path / "talk.mp4"),
        "--out", str(tmp_path / "driven.mp4"), "--compare",
    ])  # fmt: skip
    assert reenact.main() == 0
    with VideoReader(tmp_path / "driven.mp4") as video:
        assert [image.shape for image, _ in video] == [(64, 192, 3)] * 12
    assert_self_reenactment_draws_what_training_drew(model, tmp_path)
    monkeypatch.setattr("sys.argv", [
        "evaluate", "--target", str(tmp_path / "someone.onnx"), "--source", str(tmp_path / "talk.mp4"),
        "--report", str(tmp_path / "driven"),
    ])  # fmt: skip
    assert evaluate.main() == 0
    assert 0 <= json.loads((tmp_path / "driven" / "driven.json").read_text())["talk.mp4"]["unseen"] <= 1
    dataset = Dataset(tmp_path / "work" / "dataset", model)
    student = ["distill", str(tmp_path / "work" / "dataset"), "--teacher", str(tmp_path / "someone.onnx"), "--name",
               "student", "--profile", "compact", "--driver", str(tmp_path / "talk.mp4"), "--out",
               str(tmp_path / "taught"), "--targets", str(tmp_path)]  # fmt: skip
    monkeypatch.setattr("sys.argv", student)
    assert distill.main() == 0
    student_info = read_info(tmp_path / "student.onnx", model.hash)
    assert student_info.provenance == "invented" and student_info.consent is not None
    assert student_info.consent.permitted_by == "its maker"
    taught = Dataset(tmp_path / "taught" / "dataset", model)
    assert taught.test == dataset.test and len(taught.frames) == len(dataset.frames) + 12
    (first, last), (held_first, held_last) = dataset.train[0], dataset.test[0]
    assert np.array_equal(taught.frames[held_first:held_last], dataset.frames[held_first:held_last])
    assert not np.array_equal(taught.frames[first:last], dataset.frames[first:last])
    assert len(taught.train) == len(dataset.train) + 1
    monkeypatch.setattr("sys.argv", command)
    made = (tmp_path / "work" / "dataset" / "frames.npy").stat().st_mtime_ns
    capsys.readouterr()
    assert train.main() == 0
    said = capsys.readouterr().out
    for what in ("dataset", "run", "someone.onnx", "report"):
        assert f"{what} is up to date" in said
    assert (tmp_path / "work" / "dataset" / "frames.npy").stat().st_mtime_ns == made


def test_another_networks_int8_does_not_stay(dataset_folder, model, tmp_path, monkeypatch):
    monkeypatch.setitem(PROFILES, "paper", SMALL_PAPER)
    dataset = Dataset(dataset_folder, model)
    Trainer([dataset], tmp_path / "run", SMALL_PAPER, PyramidDistance()).save()
    (tmp_path / "someone.int8.onnx").write_bytes(b"a compact network's")
    labels = TargetLabels("someone", "Someone", "invented")
    assert export(dataset, tmp_path / "run", labels, tmp_path) == tmp_path / "someone.onnx"
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["someone.onnx"]
