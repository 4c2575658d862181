"""Where nothing can be written, a command says so in one sentence, before it does any work."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from conftest import DEMO_TARGET

from face.errors import UserError
from face.files import check_output_file, check_output_folder

pytestmark = pytest.mark.fast

CONSENT = ["--name", "a", "--provenance", "b", "--footage", "c", "--permission", "d", "--permitted-by", "e"]
COMMANDS = {  # what they would read does not exist: only work would tell
    "train": ("offline.train", ["no.mp4", *CONSENT, "--out"]),
    "train, targets": ("offline.train", ["no.mp4", *CONSENT, "--targets"]),
    "distill": ("offline.distill", ["no", "--teacher", str(DEMO_TARGET), *CONSENT, "--out"]),
    "reconstruct": ("offline.reconstruct.reconstruction", ["--", "{}", "no.mp4"]),
    "learn": ("offline.learn", ["no", "--run"]),
    "export": ("offline.export.__main__", ["no", "--run", "no", *CONSENT, "--out"]),
    "evaluate": ("offline.evaluate.evaluation", ["no", "--target", "no.onnx", "--report"]),
    "pretrain": ("offline.pretrain", ["no", "--out"]),
    "reenact": ("offline.reenact", ["--target", "no.onnx", "--source", "no.mp4", "--out"]),
    "reenact, sheet": ("offline.reenact", ["--target", "no.onnx", "--source", "no.mp4", "--sheet"]),
    "experiments": ("offline.experiments.__main__", ["mouth", "--people", "no", "--out"]),
    "people": ("offline.synthetic.raster_people", ["--frames", "1"]),
    "gaze network": ("offline.gaze.command", ["no", "--out"]),
    "flow learning": ("offline.flow.train", ["--steps", "1", "--out"]),
    "morphable, build": ("offline.morphable.builder", ["build", "no.whl", "--out"]),
    "morphable, correctives": ("offline.morphable.builder", ["correctives", "no.mp4", "--out"]),
    "film": ("offline.synthetic.blender.__main__", ["film", "--seed", "1", "--size", "1", "--out"]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_below_a_file_is_a_sentence(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "notes").write_text("")
    module, words = COMMANDS[command]
    out = str(tmp_path / "notes" / "below" / "out.png")
    words = [word.format(out) for word in words] if "{}" in words else [*words, out]
    monkeypatch.setattr(sys, "argv", [module, *words])
    assert importlib.import_module(module).main() == 1
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and f"{tmp_path / 'notes'}" in said and "no.mp4" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_folder_to_be_made_is_fine_and_is_not_made(tmp_path, monkeypatch):
    check_output_folder(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path)
    check_output_file(tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path):
    (tmp_path / "notes").write_text("")
    with pytest.raises(UserError, match="Not a directory"):
        check_output_folder(tmp_path / "notes")
    with pytest.raises(UserError, match="is a folder"):
        check_output_file(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        check_output_file(tmp_path / "no" / "a.mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="wants a folder in which not even root may write")
def test_where_nobody_may_write():
    with pytest.raises(UserError, match="give another folder"):
        check_output_folder(Path("/proc/nowhere"))
