"""``detector``, in place of the paper's automated study: whether a forgery detector sees our outputs.

Trained here on real against forged frames, tested on a person whom it never saw. The paper's detector cannot be had.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch

from face.files import atomic, write_whole
from offline.experiments.detector.calibration import (
    Bin,
    expected_error,
    probabilities,
    reliability,
    temperature,
)
from offline.experiments.detector.learning import learn_detector, logits_of
from offline.experiments.detector.network import Detector, detector_onnx
from offline.experiments.detector.samples import REAL, Samples, people_of_camera, training_samples, unseen_samples
from offline.experiments.figures import save
from offline.experiments.intervals import share_interval
from offline.experiments.setup import Setup, digest
from offline.experiments.tables import Table

_STEPS, _TOY_STEPS = 2000, 2
_NAME = "detector"


def run(setup: Setup) -> list[Table]:
    """Accuracy by kind of frame, and calibration, of a detector for each seed."""
    setup.pairs()  # one person to learn from, and one to test on
    known, unknown = training_samples(setup), unseen_samples(setup)
    people = [subject.name for subject in people_of_camera(setup)]
    about = f"Real frames of {', '.join(people)}; tested on {people[-1]}, never seen. {setup.caption()}"
    columns = ("seed", "frames of", "frames", "taken for forged, share", "mean probability of forgery")
    accuracy = Table(_NAME, f"Forgery detector trained here, 95 % intervals by frames. {about}", columns)
    columns = ("seed", "temperature", "expected error before", "expected error after", "weights, MB")
    calibration = Table("detector-calibration", f"Calibration on every other held-out frame. {about}", columns)
    for seed in range(setup.seeds):
        detector = _detector(setup, known, seed)
        logits = {kind: logits_of(detector, of, setup.ranks.device) for kind, of in unknown.by_kind.items()}
        divisor, before, after = _calibrate(logits)
        model = detector_onnx(detector.cpu())
        write_whole(setup.folder(_NAME) / f"detector-{seed}.onnx", model)
        calibration.add(seed, divisor, expected_error(before), expected_error(after), len(model) / 1e6)
        for kind, values in logits.items():
            forged = int((values > 0).sum())
            probability = float(probabilities(values, divisor).mean())
            accuracy.add(seed, kind, len(values), share_interval(forged, len(values)), probability)
        if seed == 0:
            _write_figure(setup, before, after)
    return [accuracy, calibration]


def _detector(setup: Setup, samples: Samples, seed: int) -> Detector:
    """The detector of a seed, trained once."""
    steps = _TOY_STEPS if setup.smoke else _STEPS
    images, _ = samples.joined()
    content: dict[str, object] = {"steps": steps, "seed": seed, "frames": int(images.astype(np.int64).sum())}
    path = setup.folder(_NAME) / f"detector-{seed}-{digest(content)}.pt"
    device = setup.ranks.device
    if not path.exists():
        detector = learn_detector(samples, steps, seed, device)
        with atomic(path) as partial:
            torch.save(detector.state_dict(), partial)
    detector = Detector()
    detector.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return detector.to(device).eval()


def _calibrate(logits: dict[str, np.ndarray]) -> tuple[float, list[Bin], list[Bin]]:
    """The temperature of the frames with even numbers, and bins of the others before and after it."""
    values = np.concatenate(list(logits.values()))
    forged = np.concatenate([np.full(len(of), float(kind != REAL)) for kind, of in logits.items()])
    divisor = temperature(values[::2], forged[::2])
    before, after = (reliability(probabilities(values[1::2], d), forged[1::2]) for d in (1.0, divisor))
    return divisor, before, after


def _write_figure(setup: Setup, before: list[Bin], after: list[Bin]) -> None:
    figure, axis = plt.subplots(figsize=(3.6, 3.4))
    axis.plot([0, 1], [0, 1], color="gray", linewidth=0.8)
    for bins, label in ((before, "as trained"), (after, "at its temperature")):
        axis.plot([b.probability for b in bins], [b.forged for b in bins], marker="o", label=label)
    axis.set_xlabel("probability of forgery")
    axis.set_ylabel("share of forgeries")
    axis.legend(fontsize=8)
    save(figure, setup.folder(_NAME) / "detector.png")
