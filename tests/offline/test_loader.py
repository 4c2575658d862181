from __future__ import annotations

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from face.conditioning import CpuConditioning
from offline.dataset.augmentation import Augmentation, Similarity
from offline.dataset.dataset import Dataset
from offline.flow.optical_flow import FlowKind
from offline.flow.stored_flows import store_flows
from offline.training.distributed import Ranks
from offline.training.loader import Loader, needed_flows
from offline.training.profiles import COMPACT, Phase, Weights

pytestmark = pytest.mark.slow
MOVING = replace(
    COMPACT, phases=(Phase(until=9, length=4, rate=1e-4, weights=Weights(l1=1.0, warping=1.0)),),
    augmentation=Augmentation(zoom=0.05, turn_deg=5.0, shift=0.03),
)  # fmt: skip


@pytest.fixture(scope="module")
def dataset(dataset_folder, model):
    return Dataset(dataset_folder, model)


def test_needed_flows_by_hand():
    assert needed_flows(4, Weights(l1=1.0)) == set()
    assert needed_flows(4, Weights(warping=1.0)) == {(1, 0), (2, 1), (3, 2)}
    assert needed_flows(4, Weights(dynamics=1.0)) == {(2, 1), (1, 0), (3, 2)}
    assert needed_flows(8, Weights(dynamics=1.0)) == {(t, t - 1) for t in range(1, 8)} | {
        (6, 3),
        (3, 0),
        (7, 4),
        (4, 1),
    }


def test_a_step_is_the_same_whenever_it_is_drawn(dataset):
    forward, straight = Loader([dataset], MOVING, 2, Ranks()), Loader([dataset], MOVING, 2, Ranks())
    for step in range(3):
        last = forward.batch(step)
    same = straight.batch(2)
    for a, b in zip(last.clips, same.clips, strict=True):
        assert np.array_equal(a.frames, b.frames) and np.array_equal(a.conditionings, b.conditionings)
    assert last.flows.keys() == same.flows.keys() and all(
        np.array_equal(last.flows[k], same.flows[k]) for k in last.flows
    )
    assert not np.array_equal(forward.batch(3).clips[0].frames, last.clips[0].frames)


def test_processes_share_what_one_would_learn(dataset):
    whole = Loader([dataset], MOVING, 2, Ranks()).batch(1)
    for number in (0, 1):
        (part,) = Loader([dataset], MOVING, 2, Ranks(number, 2)).batch(1).clips
        assert np.array_equal(part.frames, whole.clips[number].frames)


def test_a_sequence_moves_as_one(dataset, model):
    """Conditionings are those of the moved faces, and every frame has moved alike."""
    batch = Loader([dataset], MOVING, 1, Ranks()).batch(0)
    (clip,) = batch.clips
    renderer = CpuConditioning(model, 128, dataset.teeth)
    for t, face in enumerate(clip.faces):
        assert np.array_equal(clip.conditionings[t + 2], renderer.render(face))
    still = Loader([dataset], replace(MOVING, augmentation=Augmentation()), 1, Ranks()).batch(0).clips[0]
    moves = [a.camera.rotation @ b.camera.rotation.T for a, b in zip(clip.faces, still.faces, strict=True)]
    factors = [a.camera.scale / b.camera.scale for a, b in zip(clip.faces, still.faces, strict=True)]
    assert np.allclose(moves, moves[0]) and np.allclose(factors, factors[0]) and not np.isclose(factors[0], 1)


def test_flows_of_every_kind(dataset):
    first, last = dataset.train[0]
    clip = dataset.sequence(first, first + 4, first)
    flows = {kind: dataset.flow(clip, 3, 0, kind) for kind in FlowKind}
    on_face = clip.conditionings[5, ..., :3].any(-1)
    mesh, dis, learned = (flows[kind] for kind in (FlowKind.MESH, FlowKind.DIS, FlowKind.LEARNED))
    assert np.array_equal(mesh[~on_face], dis[~on_face]) and not np.array_equal(mesh[on_face], dis[on_face])
    distance = lambda a, b: np.linalg.norm(a - b, axis=-1)  # noqa: E731
    assert distance(learned, mesh)[on_face].mean() < distance(dis, mesh)[on_face].mean()
    assert distance(learned, dis)[~on_face].mean() < 0.15


def test_stored_flows_are_the_computed_ones_and_move_with_the_images(dataset, model, tmp_path):
    folder = tmp_path / "dataset"
    shutil.copytree(dataset.folder, folder)
    first, last = dataset.train[0]
    move = Similarity(128, 1.1, 8.0, np.array([3.0, -2.0]))
    still, moved = (dataset.sequence(first, last, first, m) for m in (None, move))
    computed = [dataset.flow(clip, 5, 2, FlowKind.MESH) for clip in (still, moved)]
    store_flows(Dataset(folder, model), FlowKind.MESH, [3])
    stored = Dataset(folder, model)
    assert np.allclose(stored.flow(still, 5, 2, FlowKind.MESH), computed[0], atol=0.01)
    on_face = cv2.erode(moved.conditionings[7, ..., :3].max(-1), np.ones((9, 9), np.uint8)) > 0
    error = np.linalg.norm(stored.flow(moved, 5, 2, FlowKind.MESH) - computed[1], axis=-1)[on_face]
    assert np.median(np.linalg.norm(computed[1], axis=-1)[on_face]) > 0.5 > 10 * np.median(error)


def test_short_takes_are_learned_from_too(dataset_folder, model):
    dataset = Dataset(dataset_folder, model)
    dataset.train = [(0, 4), (4, 20)]
    rng = np.random.default_rng(0)
    drawn = [dataset.draw(rng, 10, 2) for _ in range(400)]
    for spans in drawn:
        assert len({stop - start for start, stop, _ in spans}) == 1
        assert all(
            0 <= start and stop <= 4 if first == 0 else 4 <= start and stop <= 20 for start, stop, first in spans
        )
    lengths = [spans[0][1] - spans[0][0] for spans in drawn]
    assert set(lengths) == {4, 10} and np.mean(np.equal(lengths, 4)) == pytest.approx(0.2, abs=0.06)
