"""Two processes learn what one learns from the same sequences."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from face.morphable import MorphableModel
from offline.dataset.dataset import Dataset
from offline.training.distributed import Ranks
from offline.training.perceptual_loss import PyramidDistance
from offline.training.profiles import COMPACT, Phase, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.slow
STEPS = 2


def losses(dataset: Path, run: Path, ranks: Ranks) -> list[dict[str, float]]:
    """Losses of a few steps on batches of two, all kinds of them."""
    torch.set_num_threads(1)
    weights = Weights(l1=1.0, gradient=1.0, perceptual=0.1, image=0.1, mouth=0.1, dynamics=0.1, warping=1.0)
    quick = replace(COMPACT, phases=(Phase(until=9, length=3, rate=1e-4, weights=weights),), discriminator_width=8)
    data = Dataset(dataset, MorphableModel.load())
    trainer = Trainer([data], run, quick, PyramidDistance(), ranks, batch=2)
    return [trainer.train_step() for _ in range(STEPS)]


def test_two_processes_learn_as_one(dataset_folder, tmp_path):
    alone = losses(dataset_folder, tmp_path / "one", Ranks())
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__,
         str(dataset_folder), str(tmp_path / "two"), str(tmp_path / "losses.json")],
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    together = json.loads((tmp_path / "losses.json").read_text())
    assert {"l1", "dynamics 1", "warping"} <= set(alone[0])
    for one, two in zip(alone, together, strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-6)


if __name__ == "__main__":
    folder, run, answer = (Path(word) for word in sys.argv[1:])
    with Ranks.join() as ranks:
        found = losses(folder, run, ranks)
        if ranks.first:
            answer.write_text(json.dumps(found))
