"""Scores over held-out takes, and the report of them."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from conftest import CLIPS

from face.errors import UserError
from face.target import write_onnx
from offline.dataset.dataset import Dataset
from offline.evaluate.driven import evaluate_driven, read_portrait
from offline.evaluate.evaluation import evaluate
from offline.evaluate.options import MetricNetworks
from offline.export.onnx_step import export_onnx
from offline.export.options import TargetLabels
from offline.export.target_info import describe
from offline.networks.compact_generator import CompactGenerator

pytestmark = pytest.mark.slow


class Brightness:
    """Stands in for LPIPS: how much brighter one image is than the other."""

    name = "brightness"

    def distance(self, image, truth):
        return abs(float(image.mean()) - float(truth.mean()))


class Redness:
    """Stands in for a recognizer: everybody with a face is alike."""

    hash = "of no file"

    def embedding(self, image, seen):
        return np.array([1.0, 0.0])

    def similarity(self, images, seen, reference):
        return float(reference[0])


@pytest.fixture(scope="module")
def target(dataset_folder, model, tmp_path_factory):
    """A target of the synthetic person; its network shows textures only."""
    from offline.training.texture_init import initialize_textures

    dataset = Dataset(dataset_folder, model)
    torch.manual_seed(0)
    generator = CompactGenerator(128, widths=(8, 12, 16), fine=8)
    initialize_textures(generator, dataset)
    path = tmp_path_factory.mktemp("target") / "someone.onnx"
    info = describe(dataset, "compact", TargetLabels("someone", "Someone", "invented"))
    write_onnx(path, export_onnx(generator, 128), info)
    return path


@pytest.fixture
def dataset(dataset_folder, model):
    found = Dataset(dataset_folder, model)
    found.test = [(20, 24), (24, 30)]
    return found


def test_takes_count_by_their_frames(dataset, target, model):
    both = evaluate(model, dataset, target, None)
    parts = []
    for take in dataset.test:
        dataset.test = [take]
        parts.append(evaluate(model, dataset, target, None))
    for name in ("apd", "mouth_apd", "ssim", "ard_deg"):
        assert both[name] == pytest.approx(0.4 * parts[0][name] + 0.6 * parts[1][name])
    dataset.test = [(20, 24), (28, 30)]  # two frames show no motion
    assert evaluate(model, dataset, target, None)["apd"] == pytest.approx(parts[0]["apd"])


def test_nothing_held_out_says_so(dataset, target, model):
    dataset.test = []
    with pytest.raises(UserError, match="holds nothing out"):
        evaluate(model, dataset, target, None)


def test_the_report_is_whole_and_not_made_twice(dataset, target, model, tmp_path, capsys):
    networks = MetricNetworks(Brightness(), Redness())
    scores = evaluate(model, dataset, target, tmp_path, networks)
    assert scores["identity"] == scores["identity_of_truth"] == 1 and 0 <= scores["brightness"] < 30
    table = (tmp_path / "scores.txt").read_text()
    assert table == capsys.readouterr().out and "live fit  aligned" in table
    assert f"apd               {scores['apd']:9.3f}{scores['aligned_apd']:9.3f}" in table
    assert scores["apd"] != scores["aligned_apd"]
    assert json.loads((tmp_path / "scores.json").read_text())["apd"] == scores["apd"]
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (384, 768, 3)
    assert cv2.imread(str(tmp_path / "heat.png")).shape == (128, 128, 3)
    (tmp_path / "heat.png").unlink()
    assert evaluate(model, dataset, target, tmp_path, networks) == scores
    assert "is up to date" in capsys.readouterr().out and not (tmp_path / "heat.png").exists()
    assert "identity" not in evaluate(model, dataset, target, tmp_path)  # other networks, another report
    assert (tmp_path / "heat.png").exists()


def test_driven_by_another_it_is_compared_with_its_portrait(target, model, tmp_path):
    if not (CLIPS / "studio_noor_acted.mp4").exists():
        pytest.skip("no clip of a driver")
    scores = evaluate_driven(model, target, [CLIPS / "studio_noor_acted.mp4"], tmp_path, Redness())
    assert scores["studio_noor_acted.mp4"]["identity"] == 1
    assert "identity" in (tmp_path / "driven.txt").read_text()


def test_the_portrait_is_the_person(dataset, target, model):
    from face.target import read_info

    portrait = read_portrait(read_info(target, model.hash))
    shown = cv2.resize(dataset.frames[0], (160, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(portrait[:20].astype(int) - shown[:20]).mean() < 8  # the backdrop stands still
