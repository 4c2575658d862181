"""What the gaze network is taught keeps its truth, and the exported network is the trained one."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch

from face.gaze_estimation import HEIGHT, WIDTH, eye_crops, eye_places
from face.landmarks import COUNT, UNIT_NAMES, EyeImage
from offline.gaze.augmentation import cropped, mirror_half
from offline.gaze.network import GazeNetwork, export
from offline.gaze.samples import HIGH, WIDE
from offline.synthetic.motion import free_lids, natural_motion

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(3)


def test_the_unvaried_frame_is_what_the_live_loop_cuts_out():
    points = np.zeros((COUNT, 2))
    points[[33, 133, 362, 263]] = [[40, 62], [70, 60], [110, 58], [141, 60]]
    eyes = EyeImage(RNG.integers(0, 255, (120, 180), np.uint8), 0, 0)
    wide = torch.from_numpy(eye_crops(eyes, points, 17.0, WIDE, HIGH))[None].float()
    assert np.abs(cropped(wide, varied=False)[0].numpy() - eye_crops(eyes, points, 17.0, WIDTH, HEIGHT)).max() < 1.01


def test_a_mirrored_face_is_what_a_mirrored_image_gives():
    """Places of a face and of its mirror image, eyes exchanged."""
    points = np.zeros((COUNT, 2))
    for left, right in ((263, 33), (362, 133), (386, 159), (374, 145), (473, 468)):
        points[left], points[right] = RNG.uniform([100, 40], [160, 80]), RNG.uniform([20, 40], [80, 80])
    centers = RNG.uniform(30, 90, (2, 2))
    mirrored = points.copy()
    for left, right in ((263, 33), (362, 133), (386, 159), (374, 145), (473, 468)):
        mirrored[left], mirrored[right] = points[right] * [-1, 1] + [200, 0], points[left] * [-1, 1] + [200, 0]
    torch.manual_seed(0)
    places = torch.from_numpy(eye_places(points, centers, 12.0))[None].repeat(64, 1, 1, 1)
    eyes = torch.zeros(64, 2, HIGH, WIDE)
    _, drawn, turn, gaze = mirror_half((eyes, places, torch.full((64, 2), 7.0), torch.full((64, 2), 5.0)))
    expected = eye_places(mirrored, (centers * [-1, 1] + [200, 0])[::-1], 12.0)
    changed = gaze[:, 0] < 0
    assert 10 < changed.sum() < 54
    assert torch.equal(changed, turn[:, 0] < 0) and (gaze[:, 1] == 5).all()
    assert np.abs(drawn[changed][0].numpy() - expected).max() < 1e-4


def test_export_keeps_the_network(tmp_path):
    network = GazeNetwork().eval()
    export(network, tmp_path / "gaze.onnx")
    eyes = RNG.integers(0, 255, (1, 2, HEIGHT, WIDTH), np.uint8)
    places, turn = RNG.normal(0, 1, (1, 2, 5, 2)).astype(np.float32), RNG.normal(0, 9, (1, 2)).astype(np.float32)
    session = ort.InferenceSession(str(tmp_path / "gaze.onnx"))
    found = session.run(None, {"eyes": eyes, "places": places, "turn_deg": turn})[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(eyes), torch.from_numpy(places), torch.from_numpy(turn))
    assert np.abs(found - expected.numpy()).max() < 1e-3


def test_free_lids_follow_the_gaze_by_another_amount():
    motion = natural_motion(200, 1)
    free = free_lids(motion, np.random.default_rng(2))
    look = UNIT_NAMES.index("eyeLookUpLeft")
    assert np.array_equal(free.gaze_deg, motion.gaze_deg)
    assert np.abs(free.expression - motion.expression)[:, look].max() > 0.1
    mouth = [k for k, name in enumerate(UNIT_NAMES) if name.startswith(("mouth", "jaw"))]
    assert np.array_equal(free.expression[:, mouth], motion.expression[:, mouth])
