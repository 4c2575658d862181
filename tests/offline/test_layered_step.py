"""The layered generator's step arranged for a CPU gives what the trained network gives, exactly and in int8."""

from __future__ import annotations

import copy
import math

import numpy as np
import onnxruntime as ort
import pytest
import torch
from untrained import give_layers

from face.compact_constants import CAMERA_PIXELS, LAYERED_SEAMS, PARTS
from face.recurrence import INPUTS, Recurrence
from live.generators.layered_int8 import LayeredInt8Generator
from offline.dataset.dataset import Dataset
from offline.export.int8 import quantize
from offline.export.layered_step import LayeredStep
from offline.export.onnx_step import export_onnx, to_onnx
from offline.networks.exported_step import ExportedStep, torch_network
from offline.networks.head_warp import implied_camera
from offline.networks.layered_generator import LayeredGenerator
from offline.networks.part_corrections import PartWindow
from offline.rollout import onnx_network, roll_out
from trt_engines.graph import Precision, for_tensorrt

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def dataset(dataset_folder, model):
    return Dataset(dataset_folder, model)


@pytest.fixture(scope="module")
def generator():
    """An untrained network with layers to see, each of whose parts has its say."""
    made = LayeredGenerator(128, widths=(16, 24, 32), fine=8, window=8)
    chance = torch.Generator().manual_seed(0)
    give_layers(made, chance)
    with torch.no_grad():
        for bases in (made.head_bases, made.face_bases):
            rough = torch.rand(len(bases), 4, 6, 6, generator=chance) * 0.2 - 0.1
            side = math.isqrt(bases.shape[1] // 4)
            bases.copy_(torch.nn.functional.interpolate(rough, (side, side), mode="bilinear").flatten(1))
        made.to_mixture[0].bias.uniform_(-1, 1, generator=chance)
        for window in made.windows.values():
            window.to_corrections[0].weight.normal_(0, 0.05, generator=chance)
    return made.eval()


@torch.no_grad()
def test_arranged_for_a_cpu_it_gives_the_same(generator, dataset):
    x = [torch.from_numpy(np.array(dataset.conditionings[k])) for k in (2, 1, 0)]
    y = [torch.from_numpy(np.array(dataset.frames[k])) for k in (1, 0)]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    exact, arranged = ExportedStep(generator), LayeredStep(generator)
    first, second = exact(*x, *y).int(), arranged(*x, *y)[0].int()
    assert first.float().std() > 20
    difference = (first - second).abs().float()
    assert difference.mean() < 1 and difference.quantile(0.99) <= 4  # a quarter of a texel
    # It looks at the newest conditioning alone.
    for k in range(5):
        given = [*x, *y]
        given[k] = torch.from_numpy(np.array(dataset.conditionings[9])) if k == 0 else torch.zeros_like(given[k])
        changed, wanted = arranged(*given)[0].int() - second, exact(*given).int() - first
        assert (wanted.abs().max() > 0) == (k == 0)
        assert (changed - wanted).abs().float().mean() < 1
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name


@torch.no_grad()
@pytest.mark.parametrize("taken", ["head_bases", "face_bases", "windows.mouth", "windows.eyes"])
def test_every_part_has_its_say_arranged_or_not(generator, dataset, taken):
    without = copy.deepcopy(generator)
    for name, parameter in without.named_parameters():
        if name.startswith(taken):
            parameter.zero_()
    inputs = [torch.from_numpy(v.copy()) for v in Recurrence().inputs(np.array(dataset.conditionings[2])).values()]
    wanted, change = (
        step(generator, inputs).int() - step(without, inputs).int()
        for step in (lambda made, given: ExportedStep(made)(*given), lambda made, given: LayeredStep(made)(*given)[0])
    )
    seen = wanted.abs().amax(2) > 2
    assert seen.any() and not seen.all()
    assert (change - wanted).abs().float().mean() < 1
    assert torch.sign(change[seen]).eq(torch.sign(wanted[seen])).float().mean() > 0.8


@torch.no_grad()
def test_windows_follow_mouth_and_eyes(dataset):
    size = dataset.frames.shape[1]
    for k in range(0, 20, 5):
        shown = torch.from_numpy(dataset.conditionings[k][CAMERA_PIXELS, CAMERA_PIXELS, :3].copy())
        camera = implied_camera(shown.permute(2, 0, 1)[None].float() / 127.5 - 1)
        for part, middles in zip(PARTS, (dataset.mouths, dataset.eyes), strict=True):
            corner = PartWindow(part, size, 4, 14, 4).corner(camera, size)[0].numpy()
            assert part.corner(camera[0].numpy(), size) == tuple(corner)
            middle = corner + np.array(part.sides(size)) / 2
            assert np.abs(middle[::-1] - middles[k]).max() < 0.06 * size


@torch.no_grad()
def test_a_window_is_put_where_it_was_cut():
    window = PartWindow(PARTS[0], 64, 2, 3, 4)
    camera = torch.tensor([[0.5, 0, 0, 0, -0.5, 0, 0.2, -0.1], [0.5, 0, 0, 0, -0.5, 0, 3.0, 3.0]])
    window.forward = lambda features, layers: layers
    layers = torch.rand(2, 3, 64, 64)
    refined = window.refine(torch.zeros(2, 3, 64, 64), torch.zeros(2, 2, 16, 16), layers, camera)
    for image, whole, (row, column) in zip(refined, layers, window.corner(camera, 64).int(), strict=True):
        inside = torch.zeros(64, 64, dtype=torch.bool)
        inside[row : row + window.rows, column : column + window.columns] = True
        assert inside.sum() == window.rows * window.columns
        assert torch.equal(image, whole * inside)


@pytest.mark.slow
def test_int8_gives_nearly_the_same(generator, dataset):
    conditionings = dataset.conditionings[:6]
    exact, rough = (
        np.stack(list(roll_out(onnx_network(model.SerializeToString()), conditionings))).astype(float)
        for model in (to_onnx(ExportedStep(generator), 128),
                    quantize(to_onnx(LayeredStep(generator), 128, LAYERED_SEAMS), dataset, LAYERED_SEAMS))
    )  # fmt: skip
    assert exact.std() > 20
    assert 10 * np.log10(255**2 / ((exact - rough) ** 2).mean()) > 38


@pytest.mark.slow
def test_cut_at_its_seams_it_gives_the_same(generator, dataset):
    small = quantize(to_onnx(LayeredStep(generator), 128, LAYERED_SEAMS), dataset, LAYERED_SEAMS)
    whole = ort.InferenceSession(small.SerializeToString())
    conditioning = dataset.conditionings[3]
    wanted = whole.run(None, Recurrence().inputs(conditioning))[0]
    image = LayeredInt8Generator(small, "small.int8.onnx").step(np.array(conditioning))
    difference = np.abs(image.astype(int) - wanted)
    assert difference.mean() < 0.1 and np.quantile(difference, 0.99) <= 1


def test_exported_it_gives_the_same_and_for_tensorrt_too(generator, dataset):
    model = export_onnx(copy.deepcopy(generator), 128)
    inputs = Recurrence().inputs(np.array(dataset.conditionings[3]))
    expected = torch_network(generator)(inputs).astype(int)
    assert [value.name for value in model.graph.input] == list(INPUTS)
    for graph in (model, for_tensorrt(model, Precision.FP32), for_tensorrt(model, Precision.FP16)):
        difference = np.abs(onnx_network(graph.SerializeToString())(inputs) - expected)
        assert difference.mean() < 0.05 and difference.max() <= 2
