"""The forgery detector: what it is trained on, whether it learns, and whether its probabilities can be believed."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from scipy.special import expit

from offline.experiments.detector.calibration import expected_error, probabilities, reliability, temperature
from offline.experiments.detector.forgeries import spliced, warped
from offline.experiments.detector.learning import as_tensor, learn_detector, logits_of
from offline.experiments.detector.network import SIDE, Detector, detector_onnx
from offline.experiments.detector.samples import REAL, Samples

pytestmark = pytest.mark.fast
CPU = torch.device("cpu")


def random_image(rng):
    """Smooth noise, ``[SIDE, SIDE, 3]`` uint8."""
    coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((SIDE // 8, SIDE // 8, 1), np.uint8))


def test_forgeries_change_the_face_alone():
    rng = np.random.default_rng(0)
    frame, other = random_image(rng), random_image(rng)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[40:90, 50:80] = True
    far = np.ones_like(mask)
    far[25:105, 35:95] = False
    for forged in (warped(frame, mask, rng), spliced(frame, mask, other, np.roll(mask, 20, 1), rng)):
        assert np.array_equal(forged[far], frame[far])
        assert np.abs(forged[mask].astype(int) - frame[mask]).mean() > 5


@pytest.mark.slow
def test_the_detector_learns_what_tells_forgeries_apart():
    rng = np.random.default_rng(0)
    real = rng.integers(60, 200, (24, SIDE, SIDE, 3)).astype(np.uint8)
    smooth = np.stack([random_image(rng) for _ in range(24)])
    detector = learn_detector(Samples({REAL: real[:16], "smooth": smooth[:16]}), 12, 0, CPU)
    assert (logits_of(detector, real[16:], CPU) < logits_of(detector, smooth[16:], CPU).min()).mean() > 0.8


def test_the_exported_detector_is_the_same_and_small():
    torch.manual_seed(0)
    detector = Detector().eval()
    model = detector_onnx(detector)
    assert len(model) < 5e6
    image = random_image(np.random.default_rng(1))[None]
    (logit,) = ort.InferenceSession(model).run(None, {"image": as_tensor(image, CPU).numpy()})
    assert logit == pytest.approx(logits_of(detector, image, CPU), abs=1e-4)


def test_a_detector_too_sure_of_itself_is_calibrated():
    rng = np.random.default_rng(0)
    true_logits = rng.normal(0, 1.5, 4000)
    forged = (rng.random(4000) < expit(true_logits)).astype(float)
    too_sure = 3 * true_logits
    divisor = temperature(too_sure, forged)
    assert divisor == pytest.approx(3, rel=0.1)
    errors = [expected_error(reliability(probabilities(too_sure, d), forged)) for d in (1.0, divisor)]
    assert errors[0] > 0.08 and errors[1] < 0.03
