"""A compact generator of a large size and of half of it: one network, whose smaller half is an ordinary one."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from conftest import DEMO_TARGET
from untrained import give_layers

from face.errors import UserError
from face.recurrence import Recurrence
from face.target import read_info
from face.target_sizes import network_of_size
from live import size_choice
from live.generators.cpu_compositing import halved
from live.generators.cpu_int8 import CpuInt8Generator
from live.size_choice import load_at
from live.target_loading import load_target
from offline.dataset.dataset import Dataset
from offline.dataset.half_size import HalfSize
from offline.export.byte_layers import smaller
from offline.export.cpu_step import CpuStep
from offline.export.options import TargetLabels
from offline.export.target_export import export
from offline.flow.optical_flow import FlowKind
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import ExportedStep, torch_network
from offline.rollout import onnx_network
from offline.training.initial_weights import learned_weights
from offline.training.perceptual_loss import PyramidDistance
from offline.training.profiles import COMPACT, PROFILES, Phase, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.fast
SMALL = replace(
    COMPACT, generator=lambda size: CompactGenerator(size, widths=(16, 24, 32), fine=8, trunk=size // 2),
    phases=(Phase(until=9, length=2, rate=1e-4, weights=Weights(l1=1.0, gradient=1.0)),),
)  # fmt: skip


@pytest.fixture(scope="module")
def generator():
    """Untrained, of 128 px and 64 px, each of its parts with its say."""
    torch.manual_seed(0)
    made = CompactGenerator(128, widths=(16, 24, 32), fine=8, trunk=64)
    give_layers(made, torch.Generator().manual_seed(0))
    made.camera_mean += 0.01  # the exporter stores equal tensors once
    return made.eval()


@pytest.fixture(scope="module")
def dataset(dataset_folder, model):
    return Dataset(dataset_folder, model)


def steps(dataset):
    """Inputs of a step in the network's range: conditionings, and the camera's images for the outputs."""
    x, y = (torch.from_numpy(np.concatenate(list(images), 2)).permute(2, 0, 1)[None] / 127.5 - 1
            for images in (dataset.conditionings[3:6], dataset.frames[3:5]))  # fmt: skip
    return x, y


@torch.no_grad()
def test_of_256_px_it_is_the_shipped_network():
    """Every weight of the demo target has its place, and the image is the target's."""
    weights, _ = learned_weights(DEMO_TARGET)
    network = CompactGenerator(256)
    network.load_state_dict(weights)
    rng = np.random.default_rng(0)
    inputs = Recurrence().inputs(rng.integers(0, 255, (256, 256, 6), np.uint8))
    difference = np.abs(torch_network(network)(inputs).astype(int) - onnx_network(DEMO_TARGET)(inputs))
    assert difference.mean() < 0.05


@torch.no_grad()
def test_its_smaller_half_is_an_ordinary_generator(generator, dataset):
    x, y = steps(HalfSize(dataset))
    small = generator.at_trunk()
    image = generator(x, y)
    assert image.shape == (1, 3, 64, 64) and image.std() > 0.1
    assert torch.allclose(small(x, y), image, atol=1e-6)
    assert set(small.state_dict()) == set(CompactGenerator(64, widths=(16, 24, 32), fine=8).state_dict())


@torch.no_grad()
def test_both_sizes_show_the_same_layers(generator, dataset):
    """The corrections, which each size has of its own, left out."""
    generator = copy.deepcopy(generator)
    for part in (generator.to_corrections, generator.coarse_to_corrections):
        part[0].weight.zero_()
    large, small = (generator(*steps(each)) for each in (dataset, HalfSize(dataset)))
    difference = (torch.nn.functional.avg_pool2d(large, 2) - small).abs()
    assert small.std() > 0.1 and difference.mean() < 0.02


def test_half_the_size_is_the_same_takes(dataset):
    half = HalfSize(dataset)
    assert half.frames.shape == (len(dataset.frames), 64, 64, 3) and half.conditionings[1:3].shape == (2, 64, 64, 6)
    averaged = np.asarray(dataset.conditionings[4], float).reshape(64, 2, 64, 2, 6).mean((1, 3))
    inside = averaged[..., :3].any(-1)
    assert np.median(np.abs(averaged - half.conditionings[4])[inside]) < 2
    clip = half.sequence(2, 5, half.train[0][0])
    assert clip.frames.shape == (3, 64, 64, 3) and clip.weights.shape == (3, 64, 64)
    assert half.flow(clip, 1, 0, FlowKind.DIS).shape == (64, 64, 2)


def test_live_averages_images_down_as_the_exported_step_does():
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 6), dtype=np.uint8)
    assert np.array_equal(halved(image), smaller(torch.from_numpy(image), 2).numpy())
    assert np.abs(halved(image) - image.reshape(4, 2, 6, 2, 6).mean((1, 3))).max() <= 0.5


@torch.no_grad()
def test_arranged_for_a_cpu_it_renders_the_same(generator, dataset):
    x, y = (
        [torch.from_numpy(np.array(images[k])) for k in (5, 4, 3)] for images in (dataset.conditionings, dataset.frames)
    )
    exact, arranged = ExportedStep(generator)(*x, *y[1:]).int(), CpuStep(generator)(*x, *y[1:])[0].int()
    difference = (exact - arranged).abs().float()
    assert exact.float().std() > 20
    assert difference.mean() < 1 and difference.quantile(0.99) <= 4


@pytest.fixture(scope="module")
def target(dataset, generator, tmp_path_factory):
    """The network of both sizes exported by the command's own function, as a run of two steps left it."""
    run = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, COMPACT.name, SMALL)
        trainer = Trainer([dataset], run, SMALL, PyramidDistance())
        for network in (trainer.generator, trainer.average):
            network.load_state_dict(generator.state_dict())
        trainer.save()
        yield export(dataset, run, TargetLabels("small", "Small", "an invented person"), run)


@pytest.mark.slow
def test_one_file_holds_both(target, generator, dataset, model):
    info = read_info(target, model.hash)
    assert info.sizes == [64, 128] and info.size == 128
    for size, each, network in ((128, dataset, generator), (64, HalfSize(dataset), generator.at_trunk())):
        inputs = Recurrence().inputs(np.array(each.conditionings[3]))
        exact = torch_network(network)(inputs).astype(int)
        assert exact.shape == (size, size, 3) and exact.std() > 20
        whole = onnx_network(network_of_size(target, size).SerializeToString())(inputs)
        assert np.abs(exact - whole).mean() < 0.05
        loaded = load_target(target, model, size=size)
        assert isinstance(loaded.generator, CpuInt8Generator) and loaded.info.size == size
        assert loaded.renderer.render(loaded.info.resting()).shape == (size, size, 6)
        difference = exact - loaded.generator.step(np.array(each.conditionings[3]))
        assert 10 * np.log10(255**2 / (difference**2).mean()) > 38


@pytest.mark.slow
def test_what_both_sizes_have_is_stored_once(target):
    for file in (target, target.with_suffix(".int8.onnx")):
        largest = onnx.load(str(file))
        del largest.metadata_props[:]
        alone = network_of_size(file, 64).ByteSize()
        assert file.stat().st_size < largest.ByteSize() + 0.25 * alone


@pytest.mark.slow
def test_another_run_can_start_from_it(target, generator):
    weights, _ = learned_weights(target)
    expected = generator.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.allclose(value, expected[name], atol=2e-3) for name, value in weights.items())


@pytest.mark.slow
def test_a_size_that_it_lacks_is_a_sentence(target, model, capsys):
    with pytest.raises(UserError, match="makes images of 64 or 128 px, not of 96"):
        load_target(target, model, size=96)
    assert load_at(target, model, None, 100).info.size == 128
    assert "not of 100: 128 px is used" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("budget_ms", "size"), [(1e9, 128), (0, 64)])
def test_it_is_shown_as_large_as_the_machine_sustains(target, model, monkeypatch, capsys, budget_ms, size):
    monkeypatch.setattr(size_choice, "_BUDGET_MS", budget_ms)
    monkeypatch.setattr(size_choice, "_MEASURED_S", 0.1)
    assert load_at(target, model, None, None).info.size == size
    assert capsys.readouterr().out.startswith("size: " if size == 128 else "size: less than 128 px")


@pytest.mark.slow
def test_both_sizes_learn(dataset, tmp_path):
    """Each size's own convolutions change when it is its turn, and the shared ones always."""
    trainer = Trainer([dataset], tmp_path, SMALL, PyramidDistance())
    for step in range(3):
        before = {name: value.clone() for name, value in trainer.generator.state_dict().items()}
        trainer.train_step()
        changed = {name.split(".")[0] for name, value in trainer.generator.state_dict().items()
                   if not torch.equal(value, before[name])}  # fmt: skip
        assert {"backdrop", "at_half", "face"} <= changed
        assert ("coarse_to_corrections" in changed) == (step == 2)
        assert ("to_corrections" in changed) == (step < 2)
