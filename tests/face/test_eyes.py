"""Eyes are cut out level and of one size wherever they are, and the network sees where filmed eyes look."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import camera

from face.fit_batch import fit_video
from face.gaze_estimation import HEIGHT, WIDTH, GazeEstimator, eye_crops
from face.landmarks import COUNT, UNIT_NAMES, EyeImage, Landmarks
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.tracking import FaceTracker
from face.video import VideoReader
from offline.synthetic.raster_people import Person

pytestmark = pytest.mark.fast
CORNERS = {263: (150.0, 80.0), 362: (120.0, 80.0), 33: (50.0, 80.0), 133: (80.0, 80.0)}


def points(turn_deg: float = 0, scale: float = 1) -> np.ndarray:
    """Eye corners about (100, 80) px, turned and scaled; all other points at 0."""
    angle = np.radians(turn_deg)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = np.zeros((COUNT, 2))
    for index, corner in CORNERS.items():
        placed[index] = matrix @ (np.array(corner) - [100, 80]) + [100 * scale, 80 * scale]
    return placed


@pytest.mark.parametrize(("turn_deg", "scale"), [(0, 1), (25, 1), (-10, 1.7), (0, 6)])
def test_a_mark_lands_in_the_same_place_however_the_head_is_turned(turn_deg, scale):
    """A disc a quarter of the eye's width beside its middle."""
    side = int(220 * scale)
    placed = points(turn_deg, scale)
    middle, inner = (placed[263] + placed[362]) / 2, placed[362]
    image = np.zeros((side, side), np.uint8)
    mark = middle + (inner - middle) / 2
    cv2.circle(image, tuple(np.round((mark - 0.5) * 16).astype(int)), int(5 * scale * 16), 255, -1, cv2.LINE_AA, 4)
    left = eye_crops(EyeImage(image, 0, 0), placed, radius_px=18 * scale)[0].astype(float)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    assert (left * x).sum() / left.sum() == pytest.approx(WIDTH / 2 - 7.5, abs=0.2)
    assert (left * y).sum() / left.sum() == pytest.approx(HEIGHT / 2, abs=0.2)


def test_only_where_the_patch_lies_counts():
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (160, 200), np.uint8), None, 2)
    whole = eye_crops(EyeImage(image, 0, 0), points(), 20)
    patch = eye_crops(EyeImage(image[30:140, 10:190], 10, 30), points(), 20)
    assert np.abs(whole.astype(int) - patch).max() <= 2  # OpenCV rounds places to a 32nd


def test_eyes_at_the_border_of_the_image_are_tracked(model):
    """The patch around the eyes is cut off there, and is never empty."""
    pose = replace(camera(scale=90), translation=np.array([128.0, 20.0]))
    face = Person(model, 5).render(FaceParameters(np.zeros(80), np.zeros(EXPRESSION_SIZE), pose, np.zeros(2)), 256, 256)
    seen = FaceTracker(video=False).track(face)
    if seen is not None:
        assert seen.eyes is not None and min(seen.eyes.gray.shape) >= 1


def test_the_last_gaze_is_held_while_the_eyes_are_closed(model):
    person = Person(model, 5)
    pose = camera(scale=87)
    looking = FaceParameters(person.identity, np.zeros(EXPRESSION_SIZE), pose, np.array([15.0, 0]))
    seen = FaceTracker(video=False).track(person.render(looking, 256, 256))
    assert seen is not None
    estimator = GazeEstimator(model)
    shut = np.zeros(EXPRESSION_SIZE)
    shut[[UNIT_NAMES.index("eyeBlinkLeft"), UNIT_NAMES.index("eyeBlinkRight")]] = 1
    assert np.array_equal(estimator.estimate(seen, person.identity, shut, pose), [0, 0])
    found = estimator.estimate(seen, person.identity, np.zeros(EXPRESSION_SIZE), pose)
    assert 8 < found[0] < 22
    assert np.array_equal(estimator.estimate(seen, person.identity, shut, pose), found)
    without = Landmarks(seen.points, seen.scores, 256, 256)
    assert np.array_equal(estimator.estimate(without, person.identity, np.zeros(EXPRESSION_SIZE), pose), found)
    estimator.reset()
    assert np.array_equal(estimator.estimate(seen, person.identity, shut, pose), [0, 0])


@pytest.mark.slow
def test_gaze_of_a_path_traced_person_who_trained_nothing(model, clip):
    """Mira's first takes against the truth that was filmed with them."""
    truth = np.load(clip("studio_mira.npz"))
    takes = sorted({str(name).split("/")[-1].removesuffix(".mp4") for name in truth["clip"]})[:16]
    names = np.array([str(name).split("/")[-1].removesuffix(".mp4") for name in truth["clip"]])
    blink = truth["units"][:, [str(n) for n in truth["names"]].index("eyeBlinkLeft")]
    seen, where, cuts = [], [], []
    for take in takes:
        cuts.append(len(seen))
        tracker = FaceTracker()
        with VideoReader(clip(f"studio_mira/{take}.mp4")) as video:
            for number, (image, time_s) in enumerate(video):
                row = np.flatnonzero((names == take) & (truth["frame"] == number))
                if len(row):
                    seen.append(tracker.track(image, round(time_s * 1000)))
                    where.append(row[0])
    fits = fit_video(model, seen, cuts=cuts[1:])
    ahead = truth["gaze"].mean(1)[:, :, 2]
    angles = np.degrees(np.stack([np.arctan2(ahead[:, 0], ahead[:, 2]), np.arcsin(ahead[:, 1])], 1))
    pairs = [(angles[row], fit.gaze) for row, fit in zip(where, fits, strict=True) if fit and blink[row] < 0.4]
    assert len(pairs) > 150
    true, found = (np.array(side) for side in zip(*pairs, strict=True))
    assert np.corrcoef(true[:, 0], found[:, 0])[0, 1] >= 0.95
    assert np.corrcoef(true[:, 1], found[:, 1])[0, 1] >= 0.8
