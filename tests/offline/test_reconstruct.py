from __future__ import annotations

import numpy as np
import pytest

from face.errors import UserError
from face.landmarks import SURFACE_COUNT
from face.video import VideoWriter
from offline.dataset.crop import Crop, choose_crop
from offline.dataset.dataset import Dataset
from offline.evaluate.evaluation import live_faces
from offline.evaluate.face_metrics import watch
from offline.export.options import TargetLabels
from offline.export.target_info import describe
from offline.reconstruct.checked_tracking import Track
from offline.reconstruct.options import ReconstructionOptions
from offline.reconstruct.reconstruction import Take, reconstruct, split_takes
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.slow


def test_reconstruction(dataset_folder, model):
    dataset = Dataset(dataset_folder, model)
    assert dataset.frames.shape == (30, 128, 128, 3) and dataset.conditionings.shape == (30, 128, 128, 6)
    assert dataset.train == [(0, 10), (10, 20)] and dataset.test == [(20, 30)]
    assert (dataset_folder / "moments.png").exists() and (dataset_folder / "curves.png").exists()
    shown = dataset.conditionings[:, :, :, :3].any(-1)
    assert np.all(shown.mean((1, 2)) > 0.05)
    rows, columns = np.mgrid[:128, :128]
    for k in (0, 15, 29):  # the mouth lies in the lower half of the drawn face
        x, y = dataset.mouths[k]
        assert abs(columns[shown[k]].mean() - x) < 15 and rows[shown[k]].mean() < y < rows[shown[k]].max()
        openings = dataset.conditionings[k, :, :, 3] > 0  # and the eyes where the gaze image shows them
        x, y = dataset.eyes[k]
        assert abs(columns[openings].mean() - x) < 4 and abs(rows[openings].mean() - y) < 3


def test_training_sees_what_the_live_loop_will_see(dataset_folder, model):
    """The target's file and the held-out frames are all that evaluation has: the same faces come out of them."""
    dataset = Dataset(dataset_folder, model)
    info = describe(dataset, "compact", TargetLabels("someone", "Someone", "invented"))
    ((first, last),) = dataset.test
    live = live_faces(model, info, watch(dataset.frames[first:last], 25), 25)

    def drawn(face):
        return face.camera.project(model.landmarks_of(model.shape(face.identity, face.expression))[:SURFACE_COUNT])

    for k, face in enumerate(live):
        away = drawn(face) - drawn(dataset.face(first + k))
        assert np.linalg.norm(away[:, :2], axis=1).mean() < 1  # px: the tracker saw the whole video, and not its cut


def test_the_map_goes_from_the_fit_to_the_alignment(dataset_folder, model):
    dataset = Dataset(dataset_folder, model)
    assert np.abs(dataset.camera_map[0]).max() > 1e-4
    assert not np.allclose(dataset.aligned_face(3).camera.rotation, dataset.face(3).camera.rotation, atol=1e-5)


def test_the_last_third_is_held_out_where_no_video_is():
    tracks = [Track([None] * length, [], 25.0) for length in (90, 30)]
    train_takes, test_takes = split_takes(tracks, held_out=0)
    assert train_takes == [Take(0, 0, 60), Take(1, 0, 20)] and test_takes == [Take(0, 60, 90), Take(1, 20, 30)]
    assert split_takes(tracks, held_out=1) == ([Take(0, 0, 90)], [Take(1, 0, 30)])


def test_where_the_recording_paused_another_take_begins():
    paused = Track([None] * 90, [20, 75], 25.0)
    train_takes, test_takes = split_takes([paused], held_out=0)
    assert train_takes == [Take(0, 0, 20), Take(0, 20, 60)] and test_takes == [Take(0, 60, 75), Take(0, 75, 90)]


def test_crop_moves_parameters_and_images_alike(model):
    person = Person(model, 1)
    parameters = act(person, natural_motion(5, 1), 256)[2]
    image = person.render(parameters, 256, 256)
    crop = Crop(left=30, top=20, side=200, size=100)
    direct = person.render(crop.parameters(parameters), 100, 100)
    assert np.abs(direct.astype(int) - crop.image(image))[20:80, 20:80].mean() < 4


def test_crop_stays_in_the_image(model):
    from conftest import true_landmarks

    person = Person(model, 1)
    seen = [true_landmarks(model, p, p.expression) for p in act(person, natural_motion(5, 1), 256)]
    crop = choose_crop(seen, 128)
    assert crop.left >= 0 and crop.top >= 0 and crop.left + crop.side <= 256 and crop.top + crop.side <= 256


def test_sequences_begin_with_the_takes_first_frame(dataset_folder, model):
    dataset = Dataset(dataset_folder, model)
    sequence = dataset.sequence(10, 13, 10)
    assert np.array_equal(sequence.conditionings[0], dataset.conditionings[10])
    assert np.array_equal(sequence.conditionings[4], dataset.conditionings[12])
    later = dataset.sequence(14, 16, 10)
    assert np.array_equal(later.conditionings[0], dataset.conditionings[12])
    x, y = dataset.mouths[14].astype(int)
    assert later.weights[0, y, x] > 1.5 * later.weights[0, 0, 0]


def test_bad_folders_say_so(tmp_path, model):
    with pytest.raises(UserError, match="not a dataset"):
        Dataset(tmp_path, model)


def test_videos_that_are_too_short_say_so(model, tmp_path):
    person = Person(model, 7)
    with VideoWriter(tmp_path / "talk.mp4", 25) as writer:
        for parameters in act(person, natural_motion(5, 70), 192):
            writer.write(person.render(parameters, 192, 192))
    with pytest.raises(UserError, match=r"last 0\.2 s: give 3 s"):
        reconstruct(tmp_path / "dataset", ReconstructionOptions([tmp_path / "talk.mp4"]))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not a dataset"):
        reconstruct(tmp_path, ReconstructionOptions([tmp_path / "a.mp4"], size=64))
    assert (tmp_path / "letter.txt").exists()


def test_videos_without_a_face_say_so(tmp_path):
    with VideoWriter(tmp_path / "wall.mp4", 25) as writer:
        for _ in range(3):
            writer.write(np.full((96, 96, 3), 120, np.uint8))
    with pytest.raises(UserError, match="No face was found in .*wall.mp4"):
        reconstruct(tmp_path / "out", ReconstructionOptions([tmp_path / "wall.mp4"]))
    assert not (tmp_path / "out").exists()
