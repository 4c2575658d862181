from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from face.errors import UserError
from face.video import VideoWriter
from offline import pretrain
from offline.dataset.dataset import Dataset
from offline.pretrain import find_people
from offline.reconstruct.options import ReconstructionOptions
from offline.reconstruct.reconstruction import reconstruct
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act
from offline.training.perceptual_loss import PyramidDistance
from offline.training.profiles import COMPACT, PROFILES, Phase, Weights
from offline.training.texture_init import TEXTURES
from offline.training.trainer import Trainer

pytestmark = pytest.mark.slow
QUICK = replace(COMPACT, phases=(Phase(until=6, length=2, rate=1e-3, weights=Weights(l1=1.0)),))


@pytest.fixture(scope="module")
def people(model, tmp_path_factory):
    """Two people's datasets."""
    folder = tmp_path_factory.mktemp("people")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offline.reconstruct.reconstruction._SHORTEST_S", 0.3)
        for seed in (7, 8):
            person = Person(model, seed)
            with VideoWriter(folder / f"{seed}.mp4", 25) as writer:
                for parameters in act(person, natural_motion(12, seed), 128):
                    writer.write(person.render(parameters, 128, 128))
            reconstruct(folder / str(seed), ReconstructionOptions([folder / f"{seed}.mp4"], size=64))
            found.append(Dataset(folder / str(seed), model))
    return found


def maps(network):
    return {name: getattr(network, name).detach().clone() for name in TEXTURES}


def test_people_share_a_network_and_keep_their_maps(people, tmp_path):
    trainer = Trainer(people, tmp_path / "many", QUICK, PyramidDistance())
    shared = [p.detach().clone() for name, p in trainer.generator.named_parameters() if name not in TEXTURES]
    seen = {}
    for step in range(6):
        person = trainer.loader.batch(step).person
        trainer.train_step()
        for name, value in maps(trainer.generator).items():
            assert torch.equal(seen.setdefault((person, name), value), value)
    assert {person for person, _ in seen} == {0, 1}
    assert not torch.equal(seen[0, "face"], seen[1, "face"])
    learned = [p for name, p in trainer.generator.named_parameters() if name not in TEXTURES]
    assert np.mean([not torch.equal(a, b) for a, b in zip(shared, learned, strict=True)]) > 0.5
    shown, apd = trainer.sample()
    assert len(shown) == 8 and 0 < apd < 255  # the last third of both
    trainer.save()

    fresh = Trainer(people[1:], tmp_path / "fresh", QUICK, PyramidDistance())
    tuned = Trainer(people[1:], tmp_path / "tuned", QUICK, PyramidDistance(), init=tmp_path / "many")
    for name, value in maps(fresh.generator).items():
        assert torch.equal(getattr(tuned.generator, name), value)  # guessed for this person
    for (name, a), b in zip(tuned.generator.named_parameters(), trainer.average.parameters(), strict=True):
        assert name in TEXTURES or torch.equal(a, b)  # all else learned from many
        assert a.requires_grad
    again = Trainer(people[1:], tmp_path / "again", QUICK, PyramidDistance(), init=tmp_path / "many" / "checkpoint.pt")
    assert all(
        torch.equal(a, b) for a, b in zip(again.generator.parameters(), tuned.generator.parameters(), strict=True)
    )


def test_resuming_with_many_people_is_exact(people, tmp_path):
    whole = Trainer(people, tmp_path / "whole", QUICK, PyramidDistance())
    losses = [whole.train_step() for _ in range(4)]
    first = Trainer(people, tmp_path / "parts", QUICK, PyramidDistance())
    for _ in range(2):
        first.train_step()
    first.save()
    second = Trainer(people, tmp_path / "parts", QUICK, PyramidDistance())
    assert [second.train_step() for _ in range(2)] == losses[2:]


def test_what_is_no_checkpoint_says_so(people, tmp_path):
    (tmp_path / "letter.pt").write_text("dear")
    with pytest.raises(UserError, match="is no checkpoint"):
        Trainer(people[:1], tmp_path / "a", QUICK, PyramidDistance(), init=tmp_path / "letter.pt")


def test_images_of_one_size_are_wanted(people, dataset_folder, model, tmp_path):
    with pytest.raises(UserError, match="differ in image size"):
        Trainer([people[0], Dataset(dataset_folder, model)], tmp_path, QUICK, PyramidDistance())


def test_a_folder_of_people(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        find_people(tmp_path / "nowhere")
    (tmp_path / "ann.mp4").touch()
    with pytest.raises(UserError, match="videos of 1 people"):
        find_people(tmp_path)
    (tmp_path / "bob").mkdir()
    for name in ("b.MOV", "a.mp4", "notes.txt"):
        (tmp_path / "bob" / name).touch()
    (tmp_path / "empty").mkdir()
    assert find_people(tmp_path) == {
        "ann": [tmp_path / "ann.mp4"], "bob": [tmp_path / "bob" / "a.mp4", tmp_path / "bob" / "b.MOV"]
    }  # fmt: skip


def test_the_command(tmp_path, monkeypatch, short_videos, capsys):
    monkeypatch.setitem(PROFILES, "compact", replace(QUICK, phases=(replace(QUICK.phases[0], until=2),)))
    monkeypatch.setattr("offline.learn.load_perceptual", lambda *_: PyramidDistance())
    monkeypatch.setattr(pretrain, "_FRAMES", 9)
    command = ["pretrain", "--out", str(tmp_path), "--people", "2", "--size", "96"]
    monkeypatch.setattr("sys.argv", command)
    assert pretrain.main() == 0
    assert f"--init {tmp_path / 'run'}" in capsys.readouterr().out
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["people"] == 2
    made = (tmp_path / "people" / "painted_7000" / "frames.npy").stat().st_mtime_ns
    assert pretrain.main() == 0
    assert (tmp_path / "people" / "painted_7000" / "frames.npy").stat().st_mtime_ns == made
