from __future__ import annotations

import base64
import json
import signal
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from face.errors import UserError
from face.recurrence import INPUTS, Recurrence
from face.target import read_info
from face.video import VideoReader, VideoWriter
from offline import distill, learn, reenact, train
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.evaluate import evaluation as evaluate
from offline.export.check import check
from offline.export.onnx_step import export_onnx
from offline.export.target_export import export
from offline.export.target_info import describe
from offline.networks.discriminators import MultiScaleDiscriminator
from offline.networks.exported_step import NO_OUTPUT_VALUE, ExportedStep, picture_bytes
from offline.networks.paper_generator import PaperGenerator
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act
from offline.training import loop
from offline.training import trainer as trainer_module
from offline.training.config import read_config
from offline.training.losses import (
    discriminator_loss,
    feature_matching,
    generator_loss,
    gradient_l1,
    weighted_l1,
)
from offline.training.perceptual import PerceptualKind, PyramidDistance, load_perceptual
from offline.training.profiles import COMPACT, PAPER, PROFILES, Phase, Weights
from offline.training.trainer import Precision, Trainer

pytestmark = pytest.mark.unit


def test_losses_by_hand():
    a, b, w = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.full((1, 1, 4, 4), 2.0)
    assert weighted_l1(a, b, w) == 2 and gradient_l1(a, b, w) == 0
    step = torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1
    assert gradient_l1(step, a, torch.ones(1, 1, 4, 4)) == pytest.approx(1 / 3)
    ones, zeros = [[torch.ones(1, 1, 2, 2)]], [[torch.zeros(1, 1, 2, 2)]]
    assert discriminator_loss(ones, zeros) == 0 and discriminator_loss(zeros, ones) == 1
    assert generator_loss(ones) == 0 and generator_loss(zeros) == 0.5
    assert generator_loss(zeros * 2) == 1  # summed over scales
    features = lambda v: [[torch.full((1, 2, 2, 2), float(v)), torch.zeros(1, 1, 2, 2)]]  # noqa: E731
    assert feature_matching(features(1), features(4)) == 3
    assert feature_matching(features(1) * 2, features(4) * 2) == 3  # mean over scales
    two_layers = lambda v: [[*features(v)[0][:1], *features(v)[0]]]  # noqa: E731
    assert feature_matching(two_layers(1), two_layers(4)) == 6  # summed over layers


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


def test_the_papers_first_frame_does_not_hang_on_rounding():
    torch.manual_seed(0)
    network, conditioning = PaperGenerator(64, width=8), torch.rand(1, 18, 64, 64)
    blank = torch.full((1, 6, 64, 64), NO_OUTPUT_VALUE)
    with torch.no_grad():
        first, rounded, second = (network(conditioning, p) for p in (blank, blank + 1e-7 * torch.randn(1, 6, 64, 64),
                                                                     blank + torch.randn(1, 6, 64, 64)))  # fmt: skip
    assert torch.equal(first, rounded) and not torch.allclose(first, second, atol=0.01)


SMALL_PAPER = replace(PAPER, generator=lambda size: PaperGenerator(size, width=8), discriminator_width=8)


def profile(base, *phases):
    """A profile with other phases, each ``(until, length, weights)``, at a rate of 1e-4."""
    return replace(base, phases=tuple(Phase(until=u, length=n, rate=1e-4, weights=w) for u, n, w in phases))


@pytest.mark.parametrize("base", [COMPACT, SMALL_PAPER], ids=["compact", "paper"])
@pytest.mark.parametrize("name", ["l1", "gradient", "perceptual", "image", "mouth", "eyes", "dynamics", "warping"])
def test_every_loss_reaches_the_generator(dataset_folder, model, tmp_path, base, name):
    only = profile(base, (9, 5, Weights(**{name: 1.0})))
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, only, PyramidDistance())
    before = [p.detach().clone() for p in trainer.generator.parameters()]
    losses = trainer.train_step()
    assert {key.split()[0] for key in losses} == {name, "rate"}
    changed = [not torch.equal(a, b) for a, b in zip(before, trainer.generator.parameters(), strict=True)]
    assert np.mean(changed) > 0.5


@pytest.mark.parametrize("base", [COMPACT, SMALL_PAPER], ids=["compact", "paper"])
def test_training_begins_a_sequence_as_the_exported_step_does(dataset_folder, model, tmp_path, base):
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, base, PyramidDistance())
    (first, _), *_ = trainer.people[0].train
    clip = trainer.people[0].sequence(first + 3, first + 4, first)  # in the middle of a take
    x = torch.from_numpy(clip.conditionings)[None].permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    x, previous = trainer._start(x, [False])
    inputs = Recurrence().inputs(clip.conditionings[2])
    exported_blank = torch.from_numpy(inputs["output_1"]).permute(2, 0, 1)[None].float() / 127.5 - 1
    assert torch.equal(previous, exported_blank.repeat(1, 2, 1, 1))
    with torch.no_grad():
        trained = picture_bytes(trainer.generator(x[:, :3].flatten(1, 2), previous))
        exported = ExportedStep(trainer.generator)(*(torch.from_numpy(inputs[name].copy()) for name in INPUTS))
    assert torch.equal(trained, exported)


def test_a_run_keeps_its_perceptual_loss(dataset_folder, model, tmp_path, monkeypatch):
    short = profile(COMPACT, (9, 2, Weights(l1=1.0, perceptual=0.1)))
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, short, PyramidDistance())
    trainer.save()
    begun = read_config(tmp_path / "config.json").perceptual
    assert begun is PerceptualKind.PYRAMID and isinstance(load_perceptual(None, begun), PyramidDistance)
    other = PyramidDistance()
    other.kind = PerceptualKind.VGG16
    with pytest.raises(UserError, match="begun with another perceptual"):
        Trainer([Dataset(dataset_folder, model)], tmp_path, short, other)
    with pytest.raises(UserError, match="give --perceptual-weights"):
        load_perceptual(None, PerceptualKind.VGG16)


def test_resuming_is_exact(dataset_folder, model, tmp_path):
    pixels, everything = Weights(l1=1.0, gradient=1.0), Weights(l1=1.0, perceptual=0.1, image=0.1, mouth=0.1)
    short = profile(COMPACT, (2, 2, pixels), (5, 2, everything))
    dataset = Dataset(dataset_folder, model)

    def trainer(name, **options):
        return Trainer([dataset], tmp_path / name, short, PyramidDistance(), **options)

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
    with pytest.raises(UserError, match="no checkpoint"):
        trainer("third", init=tmp_path / "nowhere")
    for name, said in (("nowhere.onnx", "no target file"), ("parts/config.onnx", "no ONNX file")):
        (tmp_path / "parts" / "config.onnx").write_text("{}")
        with pytest.raises(UserError, match=said):
            trainer("third", init=tmp_path / name)
    with pytest.raises(UserError, match="--profile compact"):
        Trainer([dataset], tmp_path / "parts", SMALL_PAPER, PyramidDistance())


def test_eight_frames_are_learned_by_heart(dataset_folder, model, tmp_path, monkeypatch):
    pixels = Phase(until=15, length=8, rate=1e-4, weights=Weights(l1=1.0, gradient=1.0))
    dataset = Dataset(dataset_folder, model)
    dataset.train, dataset.test = [(0, 8)], []  # sampled is what is learned
    trainer = Trainer(
        [dataset], tmp_path, replace(COMPACT, phases=(pixels,), first_rate=1.5e-3, warm_up=5), PyramidDistance()
    )
    _, before = trainer.sample()
    loop.learn(trainer, None)
    _, after = trainer.sample()
    assert before > 4 > after


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
def test_half_precision_learns_what_single_does(dataset_folder, model, tmp_path, precision):
    every = Weights(l1=1.0, gradient=1.0, perceptual=0.1, image=0.1, mouth=0.1, dynamics=0.1, warping=1.0)
    short = profile(replace(COMPACT, discriminator_width=8), (9, 3, every))

    def trainer(name, precision):
        return Trainer([Dataset(dataset_folder, model)], tmp_path / name, short, PyramidDistance(), precision=precision)

    half, single = trainer("half", precision), trainer("single", Precision.FP32)
    # The scaler of fp16 leaves updates out until its scale fits: discriminators that follow see an older generator.
    near = 0.05 if precision is Precision.BF16 else 0.2
    for _ in range(2):
        assert half.train_step() == pytest.approx(single.train_step(), rel=near, abs=1e-3)
    half.save()
    again = trainer("half", precision)
    assert again.step == 2 and again.d_scaler.state_dict() == half.d_scaler.state_dict()
    assert again.g_scaler.is_enabled() is (precision is Precision.FP16)


def test_a_loss_is_left_out_by_the_config_and_a_changed_config_is_no_resumption(dataset_folder, model, tmp_path):
    with_mouth = profile(COMPACT, (9, 2, Weights(l1=1.0, mouth=1.0)))
    dataset = Dataset(dataset_folder, model)
    trainer = Trainer([dataset], tmp_path / "run", with_mouth, PyramidDistance())
    assert "mouth" in trainer.train_step()
    trainer.save()
    edited = json.loads((tmp_path / "run" / "config.json").read_text())
    edited["phases"][0]["weights"]["mouth"] = 0
    (tmp_path / "edited.json").write_text(json.dumps(edited))
    without = read_config(tmp_path / "edited.json")
    assert "mouth" not in Trainer([dataset], tmp_path / "other", without, PyramidDistance()).train_step()
    with pytest.raises(UserError, match=r"begun with another phases: go on with --config .*run/config\.json"):
        Trainer([dataset], tmp_path / "run", without, PyramidDistance())


def test_a_full_disk_is_one_sentence(dataset_folder, model, tmp_path, monkeypatch, capsys):
    short = profile(COMPACT, (9, 2, Weights(l1=1.0)))
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, short, PyramidDistance())
    trainer.train_step()
    trainer.save()
    whole = (tmp_path / "checkpoint.pt").read_bytes()

    def write_to_a_full_disk(_: Path, content: memoryview) -> None:
        with open("/dev/full", "wb") as file:
            file.write(content)

    monkeypatch.setattr(Path, "write_bytes", write_to_a_full_disk)
    trainer.train_step()
    assert one_sentence(lambda: trainer.save() or 0)() == 1
    assert capsys.readouterr().err == "The disk is full: make room, and give the same command again; it goes on.\n"
    assert (tmp_path / "checkpoint.pt").read_bytes() == whole
    assert one_sentence(lambda: (_ for _ in ()).throw(OSError("9 requested and 3 written")))() == 1  # as NumPy says it
    with pytest.raises(FileNotFoundError):  # other troubles of files are not taken for it
        one_sentence(lambda: len((tmp_path / "nothing").read_bytes()))()


def test_training_learns_and_a_target_comes_out(dataset_folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "remember", lambda *_: None)  # from a blank: what is learned is training's own
    pixels = Phase(until=60, length=2, rate=1e-3, weights=Weights(l1=1.0, gradient=1.0))
    dataset = Dataset(dataset_folder, model)
    blank = replace(COMPACT, phases=(pixels,), warm_up=5)
    trainer = Trainer([dataset], tmp_path / "run", blank, PyramidDistance())
    _, before = trainer.sample()
    loop.learn(trainer, None, sample_every=60)
    _, after = trainer.sample()
    assert after < 0.6 * before
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    log = EventAccumulator(str(tmp_path / "run")).Reload()
    assert log.Scalars("held out/APD")[0].value == pytest.approx(after, rel=1e-4)
    assert len(log.Scalars("training/l1")) == 3
    with VideoReader(tmp_path / "run" / "samples" / "000060.mp4") as video:
        assert [image.shape for image, _ in video] == [(128, 384, 3)] * 10
    info = describe(dataset, "compact", "someone", "Someone", "invented")
    assert info.size == 128 and len(info.head_motion[0]) == 6
    assert info.euler_low_deg[0] < info.euler_high_deg[0]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(info.portrait), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (160, 160, 3)
    from face.target import write_onnx

    exported = export_onnx(trainer.average, 128)
    check(exported, trainer.average, dataset.conditionings[:4])
    write_onnx(tmp_path / "someone.onnx", exported, info)
    assert read_info(tmp_path / "someone.onnx", model.hash).title == "Someone"
    assert "conditioning" in {i.name for i in onnx.load(tmp_path / "someone.onnx").graph.input}
    again = Trainer([dataset], tmp_path / "again", blank, PyramidDistance(), init=tmp_path / "someone.onnx")
    for name, value in trainer.average.state_dict().items():  # whose maps the export has rounded already
        assert torch.equal(again.generator.state_dict()[name], value), name


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
    command = ["train", str(tmp_path / "talk.mp4"), "--name", "someone", "--provenance", "invented", "--size", "64",
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
    assert read_info(tmp_path / "student.onnx", model.hash).provenance == "invented"
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


def test_ctrl_c_saves(dataset_folder, model, tmp_path, monkeypatch):
    short = profile(COMPACT, (9, 2, Weights(l1=1.0)))
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, short, PyramidDistance())
    trainer.train_step()
    monkeypatch.setattr(trainer, "train_step", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        loop.learn(trainer, None)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 1


def test_another_networks_eight_bits_do_not_stay(dataset_folder, model, tmp_path, monkeypatch):
    monkeypatch.setitem(PROFILES, "paper", SMALL_PAPER)
    dataset = Dataset(dataset_folder, model)
    Trainer([dataset], tmp_path / "run", SMALL_PAPER, PyramidDistance()).save()
    (tmp_path / "someone.int8.onnx").write_bytes(b"a compact network's")
    info = {"name": "someone", "title": "Someone", "provenance": "invented"}
    assert export(dataset, tmp_path / "run", info, tmp_path) == tmp_path / "someone.onnx"
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["someone.onnx"]


def test_two_do_not_train_one_run(dataset_folder, model, tmp_path, monkeypatch):
    short = profile(COMPACT, (9, 2, Weights(l1=1.0)))
    first, second = (Trainer([Dataset(dataset_folder, model)], tmp_path, short, PyramidDistance()) for _ in range(2))

    def meanwhile():
        with pytest.raises(UserError, match="by another process"):
            loop.learn(second, None)
        raise KeyboardInterrupt

    monkeypatch.setattr(first, "train_step", meanwhile)
    with pytest.raises(KeyboardInterrupt):
        loop.learn(first, None)
    monkeypatch.setattr(second, "train_step", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):  # the first has stopped
        loop.learn(second, None)


def test_kill_is_taken_for_ctrl_c(capsys):
    before = signal.getsignal(signal.SIGTERM)

    @one_sentence
    def command():
        signal.raise_signal(signal.SIGTERM)
        return 0

    assert command() == 130 and "goes on" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before
