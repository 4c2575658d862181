from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from face.errors import FaceError
from face.target import read_info
from face.video import VideoReader, VideoWriter
from offline import learn, reenact, train
from offline.dataset import Dataset
from offline.discriminators import MultiScaleDiscriminator
from offline.export import check, describe, export_onnx
from offline.losses import (
    discriminator_loss,
    feature_matching,
    generator_loss,
    gradient_l1,
    weighted_l1,
)
from offline.motion import natural_motion
from offline.paper import PaperGenerator
from offline.people import Person, act
from offline.perceptual import PyramidDistance
from offline.profiles import COMPACT, PAPER, PROFILES, Phase, Weights
from offline.reconstruct import Crop, Take, choose_crop, reconstruct, split_takes

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True, scope="module")
def short_videos():
    """Videos of these tests are shorter than a user's may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offline.reconstruct._SHORTEST_S", 0.3)
        yield


@pytest.fixture(scope="module")
def dataset_folder(model, tmp_path_factory):
    """A synthetic person, filmed and reconstructed by our own tracker and fit."""
    folder = tmp_path_factory.mktemp("person")
    person = Person(model, 7)
    for take in range(3):
        with VideoWriter(folder / f"take{take}.mp4", 25) as writer:
            for parameters in act(person, natural_motion(10, 70 + take), 256):
                writer.write(person.render(parameters, 256, 256))
    out = folder / "dataset"
    reconstruct(out, [folder / "take0.mp4", folder / "take1.mp4"], [folder / "take2.mp4"], size=128)
    return out


def test_reconstruction(dataset_folder, model):
    dataset = Dataset(dataset_folder, model)
    assert dataset.frames.shape == (30, 128, 128, 3) and dataset.conditionings.shape == (30, 128, 128, 6)
    assert dataset.train == [(0, 10), (10, 20)] and dataset.test == [(20, 30)]
    assert (dataset_folder / "moments.png").exists() and (dataset_folder / "curves.png").exists()
    shown = dataset.conditionings[:, :, :, :3].any(-1)
    assert np.all(shown.mean((1, 2)) > 0.05)
    rows, columns = np.mgrid[:128, :128]
    for k in (0, 15, 29):  # the mouth lies in the lower half of the drawn face
        x, y = dataset.mouths[k]
        assert abs(columns[shown[k]].mean() - x) < 15 and rows[shown[k]].mean() < y < rows[shown[k]].max()


def test_the_last_third_is_held_out_where_no_video_is():
    train_takes, test_takes = split_takes([90, 30], held_out=0)
    assert train_takes == [Take(0, 0, 60), Take(1, 0, 20)] and test_takes == [Take(0, 60, 90), Take(1, 20, 30)]
    assert split_takes([90, 30], held_out=1) == ([Take(0, 0, 90)], [Take(1, 0, 30)])


def test_crop_moves_parameters_and_pictures_alike(model):
    person = Person(model, 1)
    parameters = act(person, natural_motion(5, 1), 256)[2]
    image = person.render(parameters, 256, 256)
    crop = Crop(left=30, top=20, side=200, size=100)
    direct = person.render(crop.parameters(parameters), 100, 100)
    assert np.abs(direct.astype(int) - crop.image(image))[20:80, 20:80].mean() < 4


def test_crop_stays_in_the_picture(model):
    from conftest import true_landmarks

    person = Person(model, 1)
    seen = [true_landmarks(model, p, p.expression) for p in act(person, natural_motion(5, 1), 256)]
    crop = choose_crop(seen, 128)
    assert crop.left >= 0 and crop.top >= 0 and crop.left + crop.side <= 256 and crop.top + crop.side <= 256


def test_sequences_begin_with_the_takes_first_frame(dataset_folder, model):
    dataset = Dataset(dataset_folder, model)
    sequence = dataset.sequence(10, 13, 10)
    assert np.array_equal(sequence.conditionings[0], dataset.conditionings[10])
    assert np.array_equal(sequence.conditionings[4], dataset.conditionings[12])
    later = dataset.sequence(14, 16, 10)
    assert np.array_equal(later.conditionings[0], dataset.conditionings[12])
    x, y = dataset.mouths[14].astype(int)
    assert later.weights[0, y, x] > 1.5 * later.weights[0, 0, 0]


def test_losses_by_hand():
    a, b, w = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.full((1, 1, 4, 4), 2.0)
    assert weighted_l1(a, b, w) == 2 and gradient_l1(a, b, w) == 0
    step = torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1
    assert gradient_l1(step, a, torch.ones(1, 1, 4, 4)) == pytest.approx(1 / 3)
    ones, zeros = [[torch.ones(1, 1, 2, 2)]], [[torch.zeros(1, 1, 2, 2)]]
    assert discriminator_loss(ones, zeros) == 0 and discriminator_loss(zeros, ones) == 2
    assert generator_loss(ones) == 0 and generator_loss(zeros) == 1
    features = lambda v: [[torch.full((1, 2, 2, 2), float(v)), torch.zeros(1, 1, 2, 2)]]  # noqa: E731
    assert feature_matching(features(1), features(4)) == 3


def test_discriminator_scales():
    features = MultiScaleDiscriminator(9, width=8)(torch.zeros(1, 9, 64, 64))
    assert len(features) == 2 and len(features[0]) == 5
    assert features[0][-1].shape[2] > features[1][-1].shape[2]


def test_the_papers_networks_have_its_numbers_of_parameters():
    def millions(network):
        return sum(p.numel() for p in network.parameters()) / 1e6

    with torch.device("meta"):
        assert millions(PaperGenerator()) == pytest.approx(70.8, abs=0.05)
        assert millions(MultiScaleDiscriminator(9, width=64)) == pytest.approx(5.54, abs=0.01)
    with torch.no_grad():
        picture = PaperGenerator(64, width=8)(torch.zeros(1, 18, 64, 64), torch.zeros(1, 6, 64, 64))
    assert picture.shape == (1, 3, 64, 64)


SMALL_PAPER = replace(PAPER, generator=lambda size: PaperGenerator(size, width=8), discriminator_width=8)


def profile(base, *phases):
    """A profile with other phases, each ``(until, length, weights)``, at a rate of 1e-4."""
    return replace(base, phases=tuple(Phase(until=u, length=n, rate=1e-4, weights=w) for u, n, w in phases))


@pytest.mark.parametrize("base", [COMPACT, SMALL_PAPER], ids=["compact", "paper"])
@pytest.mark.parametrize("name", ["l1", "gradient", "perceptual", "image", "mouth", "dynamics", "warping"])
def test_every_loss_reaches_the_generator(dataset_folder, model, tmp_path, base, name):
    only = profile(base, (9, 5, Weights(**{name: 1.0})))
    trainer = learn.Trainer(Dataset(dataset_folder, model), tmp_path, only, PyramidDistance(), torch.device("cpu"))
    before = [p.detach().clone() for p in trainer.generator.parameters()]
    losses = trainer.train_step()
    assert {key.split()[0] for key in losses} == {name, "rate"}
    changed = [not torch.equal(a, b) for a, b in zip(before, trainer.generator.parameters(), strict=True)]
    assert np.mean(changed) > 0.5


def test_resuming_is_exact(dataset_folder, model, tmp_path):
    pixels, everything = Weights(l1=1.0, gradient=1.0), Weights(l1=1.0, perceptual=0.1, image=0.1, mouth=0.1)
    short = profile(COMPACT, (2, 2, pixels), (5, 2, everything))
    dataset = Dataset(dataset_folder, model)

    def trainer(name, **options):
        return learn.Trainer(dataset, tmp_path / name, short, PyramidDistance(), torch.device("cpu"), **options)

    whole = trainer("whole")
    losses = [whole.train_step() for _ in range(5)]
    assert set(losses[0]) == {"l1", "gradient", "rate"}
    assert {"perceptual", "image", "image matching", "mouth", "mouth matching"} <= set(losses[4])
    first = trainer("parts")
    for _ in range(3):
        first.train_step()
    first.save()
    second = trainer("parts")
    assert second.step == 3
    assert [second.train_step() for _ in range(2)] == losses[3:]
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)
    another = trainer("another", init=tmp_path / "parts")
    assert another.step == 0
    for a, b in zip(first.average.parameters(), another.generator.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(FaceError, match="no checkpoint"):
        trainer("third", init=tmp_path / "nowhere")
    with pytest.raises(FaceError, match="--profile compact"):
        learn.Trainer(dataset, tmp_path / "parts", SMALL_PAPER, PyramidDistance(), torch.device("cpu"))


def test_training_learns_and_a_target_comes_out(dataset_folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(learn, "_WARM_UP", 5)
    monkeypatch.setattr(learn, "remember", lambda *_: None)  # from a blank: what is learned is training's own
    pixels = Phase(until=60, length=2, rate=1e-3, weights=Weights(l1=1.0, gradient=1.0))
    dataset = Dataset(dataset_folder, model)
    blank = replace(COMPACT, phases=(pixels,))
    trainer = learn.Trainer(dataset, tmp_path / "run", blank, PyramidDistance(), torch.device("cpu"))
    _, before = trainer.sample()
    learn.learn(trainer, None)
    _, after = trainer.sample()
    assert after < 0.6 * before
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    info = describe(dataset, "compact", "someone", "Someone", "invented")
    assert info.size == 128 and len(info.head_motion[0]) == 6
    assert info.euler_low_deg[0] < info.euler_high_deg[0]
    from face.target import write_onnx

    exported = export_onnx(trainer.average, 128)
    check(exported, trainer.average, dataset.conditionings[:4])
    write_onnx(tmp_path / "someone.onnx", exported, info)
    assert read_info(tmp_path / "someone.onnx", model.hash).title == "Someone"
    assert "conditioning" in {i.name for i in onnx.load(tmp_path / "someone.onnx").graph.input}


def test_one_command_from_video_to_target(model, tmp_path, monkeypatch, capsys):
    person = Person(model, 7)
    with VideoWriter(tmp_path / "talk.mp4", 25) as writer:
        for parameters in act(person, natural_motion(12, 70), 256):
            writer.write(person.render(parameters, 256, 256))
    quick = profile(COMPACT, (3, 2, Weights(l1=1.0)))
    monkeypatch.setitem(PROFILES, "compact", quick)
    monkeypatch.setattr(learn, "load_perceptual", lambda _: PyramidDistance())
    command = ["train", str(tmp_path / "talk.mp4"), "--name", "someone", "--provenance", "invented", "--size", "64",
               "--out", str(tmp_path / "work"), "--targets", str(tmp_path)]  # fmt: skip
    monkeypatch.setattr("sys.argv", command)
    assert train.main() == 0
    assert read_info(tmp_path / "someone.onnx", model.hash).name == "someone"
    scores = json.loads((tmp_path / "work" / "report" / "scores.json").read_text())
    assert 0 < scores["apd"] < 255 and (tmp_path / "work" / "report" / "sheet.png").exists()
    monkeypatch.setattr("sys.argv", [
        "reenact", "--target", str(tmp_path / "someone.onnx"), "--source", str(tmp_path / "talk.mp4"),
        "--out", str(tmp_path / "driven.mp4"), "--compare",
    ])  # fmt: skip
    assert reenact.main() == 0
    with VideoReader(tmp_path / "driven.mp4") as video:
        assert [image.shape for image, _ in video] == [(64, 192, 3)] * 12
    monkeypatch.setattr("sys.argv", command)
    made = (tmp_path / "work" / "dataset" / "frames.npy").stat().st_mtime_ns
    capsys.readouterr()
    assert train.main() == 0
    assert "up to date" in capsys.readouterr().out
    assert (tmp_path / "work" / "dataset" / "frames.npy").stat().st_mtime_ns == made


def test_ctrl_c_saves(dataset_folder, model, tmp_path, monkeypatch):
    short = profile(COMPACT, (9, 2, Weights(l1=1.0)))
    trainer = learn.Trainer(Dataset(dataset_folder, model), tmp_path, short, PyramidDistance(), torch.device("cpu"))
    trainer.train_step()
    monkeypatch.setattr(trainer, "train_step", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        learn.learn(trainer, None)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=False)["step"] == 1


def test_bad_folders_say_so(tmp_path, model):
    with pytest.raises(FaceError, match="not a dataset"):
        Dataset(tmp_path, model)


def test_videos_that_are_too_short_say_so(model, tmp_path, monkeypatch):
    monkeypatch.setattr("offline.reconstruct._SHORTEST_S", 3.0)
    person = Person(model, 7)
    with VideoWriter(tmp_path / "talk.mp4", 25) as writer:
        for parameters in act(person, natural_motion(5, 70), 192):
            writer.write(person.render(parameters, 192, 192))
    with pytest.raises(FaceError, match=r"last 0\.2 s: give 3 s"):
        reconstruct(tmp_path / "dataset", [tmp_path / "talk.mp4"], [])


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FaceError, match="not a dataset"):
        reconstruct(tmp_path, [tmp_path / "a.mp4"], [], 64)
    assert (tmp_path / "letter.txt").exists()


def test_videos_without_a_face_say_so(tmp_path):
    with VideoWriter(tmp_path / "wall.mp4", 25) as writer:
        for _ in range(3):
            writer.write(np.full((96, 96, 3), 120, np.uint8))
    with pytest.raises(FaceError, match="No face was found in .*wall.mp4"):
        reconstruct(tmp_path / "out", [tmp_path / "wall.mp4"], [])
    assert not (tmp_path / "out").exists()
