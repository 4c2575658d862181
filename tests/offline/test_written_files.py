"""Whatever is written, a failure half-way leaves the old file, and nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from face.errors import UserError
from face.files import AtomicWrite, atomic
from face.landmarks import UNIT_NAMES
from face.parameters import IDENTITY_SIZE
from face.video import VideoWriter
from offline.dataset.store import DatasetWriter, write_dataset
from offline.evaluate.report import write_json, write_text
from offline.experiments.figures import save as save_figure
from offline.experiments.figures import write_sheet
from offline.flow.refinement_unet import FlowNetwork
from offline.gaze.network import GazeNetwork
from offline.gaze.network import export as export_gaze_network
from offline.image_file import write_image
from offline.morphable.builder import save as save_model
from offline.reconstruct.report import write_report
from offline.synthetic import raster_people
from offline.synthetic.blender.film import preview
from offline.training.checkpoint import write_checkpoint
from offline.training.config import write_config
from offline.training.profiles import PROFILES

pytestmark = pytest.mark.fast

FRAMES, SIDE = 12, 16
IMAGE = np.full((SIDE, SIDE, 3), (200, 20, 20), np.uint8)


def write_video(path, model):
    with VideoWriter(path, 25) as video:
        video.write(IMAGE)


def write_folder(path, model):
    parameters = {"identity": np.zeros(IDENTITY_SIZE)}
    write_dataset(path, IMAGE[None], np.zeros((1, SIDE, SIDE, 6), np.uint8), parameters, {"rate": 25})


def write_reconstruction_report(path, model):
    parameters = {
        "rotation": np.tile(np.eye(3), (FRAMES, 1, 1)), "expression": np.zeros((FRAMES, len(UNIT_NAMES))),
        "take": np.zeros(FRAMES, int),
    }  # fmt: skip
    conditionings = np.zeros((FRAMES, SIDE, SIDE, 6), np.uint8)
    write_report(path.parent, np.tile(IMAGE, (FRAMES, 1, 1, 1)), conditionings, parameters, np.zeros(FRAMES))


def film_raster_person(path, model):
    person = raster_people.Person(model, 0)
    acted = raster_people.act(person, raster_people.natural_motion(2, 0), 32)
    raster_people.film(person, acted, 32, path.with_suffix(".mp4"))


class Studio:
    """Writes half an image."""

    def shoot(self, path, units, rotation, translation, gaze):
        path.write_bytes(b"new")


WRITERS = {
    "image": ("a.png", lambda path, model: write_image(path, IMAGE)),
    "sheet": ("a.png", lambda path, model: write_sheet({"a": [IMAGE]}, path)),
    "chart": ("a.png", lambda path, model: save_figure(plt.figure(), path)),
    "reconstruction: moments": ("moments.png", write_reconstruction_report),
    "scores": ("a.json", lambda path, model: write_json(path, {"apd": 1.0})),
    "table": ("a.txt", lambda path, model: write_text(path, "apd 1.0")),
    "video": ("a.mp4", write_video),
    "synthetic video": ("a.mp4", film_raster_person),
    "studio's frame": ("a.png", lambda path, model: preview(Studio(), path)),
    "morphable model": ("a.npz", lambda path, model: save_model(model, path)),
    "flow network": ("a.npz", lambda path, model: FlowNetwork().save(path)),
    "gaze network": ("a.onnx", lambda path, model: export_gaze_network(GazeNetwork().eval(), path)),
    "config": ("config.json", lambda path, model: write_config(PROFILES["compact"], path)),
    "checkpoint": (
        "checkpoint.pt",
        lambda path, model: write_checkpoint(path.parent, {"a": torch.nn.Linear(1, 1)}, PROFILES["compact"], "0", 1, 1),
    ),
}


def full_disk(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
def test_a_failure_half_way_leaves_the_old_file(name, write, model, tmp_path, monkeypatch):
    path = tmp_path / name
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write(path, model)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    write(path, model)
    assert path.read_bytes() != b"old" and not list(tmp_path.glob(".*"))


def test_truth_of_a_synthetic_video_is_whole(model, tmp_path, monkeypatch):
    """The video is done by then; the truth beside it is the old one."""
    truth = tmp_path / "a.npz"
    truth.write_bytes(b"old")

    def fail(path, **arrays):
        Path(path).write_bytes(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="No space"):
        film_raster_person(truth, model)
    assert truth.read_bytes() == b"old" and not list(tmp_path.glob(".*"))


def test_curves_of_a_reconstruction_are_whole(model, tmp_path, monkeypatch):
    curves = tmp_path / "curves.png"
    curves.write_bytes(b"old")

    def fail(self, path, dpi):
        Path(path).write_bytes(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(plt.Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space"):
        write_reconstruction_report(curves, model)
    plt.close("all")
    assert curves.read_bytes() == b"old" and not list(tmp_path.glob(".*"))


def test_a_failure_half_way_leaves_the_old_dataset(model, tmp_path, monkeypatch):
    folder = tmp_path / "dataset"
    write_folder(folder, model)
    (folder / "flows").mkdir()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_folder(folder, model)
    assert (folder / "flows").exists() and (folder / "manifest.json").exists() and list(tmp_path.iterdir()) == [folder]
    monkeypatch.undo()
    write_folder(folder, model)
    assert not (folder / "flows").exists() and list(tmp_path.iterdir()) == [folder]


def test_every_file_of_a_folder_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr("face.files._sync", lambda path: steps.append(path.name))
    with atomic(tmp_path / "folder") as partial:
        (partial / "deep").mkdir(parents=True)
        (partial / "deep" / "a").write_bytes(b"x")
        assert steps == []
    assert set(steps[:-1]) == {"folder", "deep", "a"} and steps[-1] == tmp_path.name


def test_a_dataset_that_is_not_finished_leaves_nothing(tmp_path):
    with DatasetWriter(tmp_path / "dataset", 1, SIDE) as dataset:
        dataset.frames[0] = IMAGE
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_has_left_of_a_dataset_is_removed(model, tmp_path):
    killed = AtomicWrite(tmp_path / "dataset")
    killed.partial.mkdir()
    other = AtomicWrite(tmp_path / "dataset2")
    write_folder(tmp_path / "dataset", model)
    assert {p.name for p in tmp_path.iterdir()} == {"dataset", other.partial.parent.name}
    killed.discard()
    other.discard()


@pytest.mark.parametrize("name", ["a", "a.what", "none/a.png"])
def test_an_image_that_cannot_be_written_says_so(name, tmp_path):
    with pytest.raises(UserError, match="Cannot write"):
        write_image(tmp_path / name, IMAGE)
    assert list(tmp_path.iterdir()) == []
