from __future__ import annotations

import base64
import json
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_profiles import SMALL_PAPER, profile

from face.errors import UserError
from face.recurrence import INPUTS, Recurrence
from face.target import read_info
from face.video import VideoReader
from offline import learn
from offline.dataset.dataset import Dataset
from offline.export.check import check
from offline.export.onnx_step import export_onnx
from offline.export.options import TargetLabels
from offline.export.target_info import describe
from offline.networks.exported_step import ExportedStep, image_bytes
from offline.training import loop, perceptual_loss
from offline.training import trainer as trainer_module
from offline.training.config import read_config
from offline.training.distributed import Ranks
from offline.training.options import TrainingOptions
from offline.training.perceptual_loss import PerceptualKind, PyramidDistance, load_perceptual
from offline.training.precision import Precision
from offline.training.profiles import COMPACT, LAYERED, Phase, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("base", [COMPACT, LAYERED, SMALL_PAPER], ids=["compact", "layered", "paper"])
@pytest.mark.parametrize("name", ["l1", "gradient", "perceptual", "image", "mouth", "eyes", "dynamics", "warping"])
def test_every_loss_reaches_the_generator(dataset_folder, model, tmp_path, base, name):
    only = profile(base, (9, 5, Weights(**{name: 1.0})))
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, only, PyramidDistance())
    before = [p.detach().clone() for p in trainer.generator.parameters()]
    losses = trainer.train_step()
    assert {key.split()[0] for key in losses} == {name, "rate"}
    changed = [not torch.equal(a, b) for a, b in zip(before, trainer.generator.parameters(), strict=True)]
    assert np.mean(changed) > 0.5


@pytest.mark.parametrize("base", [COMPACT, LAYERED, SMALL_PAPER], ids=["compact", "layered", "paper"])
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
        trained = image_bytes(trainer.generator(x[:, :3].flatten(1, 2), previous))
        exported = ExportedStep(trainer.generator)(*(torch.from_numpy(inputs[name].copy()) for name in INPUTS))
    # Convolutions of another memory layout round otherwise: a value in thousands may fall on the other side.
    difference = (trained.int() - exported.int()).abs()
    assert difference.max() <= 1 and difference.float().mean() < 1e-3


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


def test_the_runs_own_config_says_what_it_was_begun_with(dataset_folder, model, tmp_path, monkeypatch):
    """An edited configuration that leaves the perceptual loss out names the profile's, which the run never had."""
    monkeypatch.setattr(perceptual_loss, "fetch_weights", lambda _: pytest.fail("VGG19 is asked for"))
    dataset, run = Dataset(dataset_folder, model), tmp_path / "run"
    short = profile(COMPACT, (9, 2, Weights(l1=1.0, perceptual=0.1)))
    Trainer([dataset], run, short, PyramidDistance()).save()
    begun = json.loads((run / "config.json").read_text())
    (tmp_path / "edited.json").write_text(json.dumps({k: v for k, v in begun.items() if k != "perceptual"}))
    options = TrainingOptions(config=tmp_path / "edited.json", minutes=1e-6)
    learn.learn_with_options([dataset], run, options, Ranks())
    (run / "config.json").write_text(json.dumps(begun | {"perceptual": "vgg16"}))
    with pytest.raises(UserError, match="begun with a VGG16 trunk"):
        learn.learn_with_options([dataset], run, options, Ranks())


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


def test_training_learns_and_a_target_comes_out(dataset_folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        trainer_module, "initialize_textures", lambda *_: None
    )  # from a blank: what is learned is training's own
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
    info = describe(dataset, "compact", TargetLabels("someone", "Someone", "invented"))
    assert info.size == 128 and len(info.head_motion[0]) == 6
    assert info.euler_low_deg[0] < info.euler_high_deg[0]
    image = cv2.imdecode(np.frombuffer(base64.b64decode(info.portrait), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (160, 160, 3)
    from face.target import write_onnx

    exported = export_onnx(trainer.average, 128)
    check(exported, trainer.average, dataset.conditionings[:4])
    write_onnx(tmp_path / "someone.onnx", exported, info)
    assert read_info(tmp_path / "someone.onnx", model.hash).title == "Someone"
    assert "conditioning" in {i.name for i in onnx.load(tmp_path / "someone.onnx").graph.input}
    again = Trainer([dataset], tmp_path / "again", blank, PyramidDistance(), init=tmp_path / "someone.onnx")
    for name, value in trainer.average.state_dict().items():  # whose maps the export has rounded already
        assert torch.equal(again.generator.state_dict()[name], value), name
