from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from conftest import camera, true_landmarks, units

from face.parameters import FaceParameters
from offline.dataset.pixel_error import score_images, warping_error
from offline.evaluate.face_metrics import score_driven, score_faces
from offline.flow.optical_flow import estimated_flow

pytestmark = pytest.mark.fast


def moving_noise(frames=6, size=64, step=2):
    """A pattern that moves to the right by ``step`` px a frame."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (size // 8, size // 4, 3)).astype(np.uint8)
    wide = np.kron(small, np.ones((8, 8, 1), np.uint8))
    return np.stack([np.roll(wide, step * t, axis=1)[:, :size] for t in range(frames)])


def test_distances_by_hand():
    truth = np.zeros((2, 64, 64, 3), np.uint8)
    images = truth.copy()
    images[:, :32] = [3, 4, 0]  # 5 away in the upper half
    images[1, 40, 40] = 255
    truth[1, 40, 40] = 251
    conditionings = np.zeros((2, 64, 64, 6), np.uint8)
    conditionings[:, 16:48, :, 0] = 1
    scores = score_images(images, truth, conditionings, np.array([[32.0, 16.0]] * 2))
    far = np.sqrt(3 * 16)  # the one pixel
    assert scores.apd == pytest.approx((5 * 2048 * 2 + far) / 8192)
    assert scores.masked_apd == pytest.approx((5 * 1024 * 2 + far) / 4096)
    assert scores.mouth_apd == pytest.approx(5.0)


def test_the_truth_scores_best():
    truth = moving_noise()
    conditionings = np.ones((6, 64, 64, 6), np.uint8)
    mouths = np.full((6, 2), 32.0)
    same = score_images(truth, truth, conditionings, mouths)
    assert same.apd == 0 and same.ssim == pytest.approx(1) and same.motion == 1
    assert same.warping == same.warping_of_truth
    still = score_images(np.repeat(truth[:1], 6, axis=0), truth, conditionings, mouths)
    assert still.motion == 0 and still.ssim < 0.8


def test_flicker_shows_as_warping_error():
    truth = moving_noise()
    flicker = truth.astype(int)
    flicker[::2] += 20
    flows = [estimated_flow(now, earlier) for earlier, now in itertools.pairwise(truth)]
    assert warping_error(flicker.clip(0, 255).astype(np.uint8), flows) > warping_error(truth, flows) + 10


def test_faces(model):
    def talk(turn):
        return [
            true_landmarks(model, FaceParameters(np.zeros(80), units(jawOpen=0.1 * k), camera(turn), np.zeros(2)),
                           units(jawOpen=0.1 * k))
            for k in range(5)
        ]  # fmt: skip

    same = score_faces(model, np.zeros(80), talk(0), talk(0))
    assert same.aed == 0 and same.ard_deg == 0 and same.gaze_deg < 1e-5 and same.jitter == 1 and same.unseen == 0
    told = [FaceParameters(np.zeros(80), units(jawOpen=0.1 * k), camera(0), np.zeros(2)) for k in range(5)]
    driven = score_driven(model, np.zeros(80), talk(0), told)
    assert driven.aed < 0.3 and driven.ard_deg < 0.3 and driven.jitter == pytest.approx(1, abs=0.05)
    assert score_driven(model, np.zeros(80), talk(9), told).ard_deg == pytest.approx(3.0, abs=0.3)
    turned = score_faces(model, np.zeros(80), [*talk(9)[:4], None], talk(0))
    assert turned.ard_deg == pytest.approx(3.0, abs=0.3) and turned.unseen == 0.2
    assert turned.aed < 0.3


def test_a_blurred_video_is_less_sharp():
    video = moving_noise()
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in video])
    conditionings = np.full((*video.shape[:3], 6), 255, np.uint8)
    mouths = np.full((len(video), 2), 32.0)
    same, soft = (score_images(images, video, conditionings, mouths) for images in (video, blurred))
    assert same.sharpness == same.mouth_sharpness == 1
    assert soft.sharpness < 0.8 and soft.mouth_sharpness < 0.8
    brighter = score_images((video // 2 + 60).astype(np.uint8), video, conditionings, mouths)
    assert brighter.sharpness == pytest.approx(1, abs=0.03)  # contrast is not sharpness
