from __future__ import annotations

import cv2
import numpy as np
import pytest
from training_profiles import profile

from face.target import read_info
from offline.dataset.dataset import Dataset
from offline.export.options import TargetLabels
from offline.rollout import onnx_network, roll_out
from offline.training import preview
from offline.training.loop import learn
from offline.training.perceptual_loss import PyramidDistance
from offline.training.profiles import COMPACT, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.slow


def test_image_and_target_follow_the_training(dataset_folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "_SECONDS", 0.0)
    dataset = Dataset(dataset_folder, model)
    trainer = Trainer([dataset], tmp_path, profile(COMPACT, (3, 2, Weights(l1=1.0))), PyramidDistance())
    learn(trainer, None, labels=TargetLabels("someone", "Someone", "invented"))
    info = read_info(tmp_path / "preview.onnx", model.hash)
    assert (info.title, info.versions["trained_sequences"]) == ("Someone", str(trainer.last_step))
    image = cv2.cvtColor(cv2.imread(str(tmp_path / "preview.png")), cv2.COLOR_BGR2RGB)
    size = info.size
    assert image.shape == (3 * size, 5 * size, 3)
    last = dataset.test[0][1] - 1
    *_, output = roll_out(
        onnx_network(tmp_path / "preview.onnx"), np.asarray(dataset.conditionings[last - 3 : last + 1])
    )
    column = image[:, -size:].astype(int)
    assert np.array_equal(column[2 * size :], dataset.frames[last])
    assert np.abs(column[size : 2 * size] - output).mean() < 0.5  # the target's maps are of half precision
