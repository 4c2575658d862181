"""What stops a training, and what it leaves behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from training_profiles import profile

from face.errors import UserError
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.training import loop
from offline.training.perceptual_loss import PyramidDistance
from offline.training.profiles import COMPACT, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.slow


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


def test_ctrl_c_saves(dataset_folder, model, tmp_path, monkeypatch):
    short = profile(COMPACT, (9, 2, Weights(l1=1.0)))
    trainer = Trainer([Dataset(dataset_folder, model)], tmp_path, short, PyramidDistance())
    trainer.train_step()
    monkeypatch.setattr(trainer, "train_step", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        loop.learn(trainer, None)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 1


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
