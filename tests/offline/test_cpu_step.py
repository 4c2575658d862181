"""The step arranged for a CPU renders what the trained network renders, exactly and in int8."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from untrained import give_layers

from face.compact_constants import SEAMS
from face.conditioning import CpuConditioning
from face.recurrence import NO_OUTPUT, Recurrence
from live.generators.cpu_int8 import CpuInt8Generator
from offline.dataset.dataset import Dataset
from offline.export.byte_layers import RowShuffle, by_rows, level_channels
from offline.export.cpu_step import CpuStep
from offline.export.int8 import quantize
from offline.export.onnx_step import to_onnx
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import ExportedStep
from offline.rollout import onnx_network, roll_out
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def dataset(dataset_folder, model):
    return Dataset(dataset_folder, model)


@pytest.fixture(scope="module")
def generator():
    """An untrained network with layers to see, each of whose parts has its say."""
    made = CompactGenerator(128, widths=(16, 24, 32), fine=8)
    give_layers(made, torch.Generator().manual_seed(0))
    return made.eval()


@torch.no_grad()
def test_arranged_for_a_cpu_it_renders_the_same(generator, model):
    person, renderer = Person(model, 7), CpuConditioning(model, 128)
    faces = act(person, natural_motion(10, 7), 128)[:3]
    x = [torch.from_numpy(renderer.render(face)) for face in reversed(faces)]
    y = [torch.from_numpy(person.render(face, 128, 128)) for face in reversed(faces[:2])]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    exact, arranged = ExportedStep(generator), CpuStep(generator)
    first, second = exact(*x, *y).int(), arranged(*x, *y)[0].int()
    assert first.float().std() > 20
    difference = (first - second).abs().float()
    assert difference.mean() < 1 and difference.quantile(0.99) <= 4  # a quarter of a texel
    # It looks at every input: none of them is mixed up with another.
    blank = torch.full_like(y[0], NO_OUTPUT)
    for k in range(5):
        given = [*x, *y]
        given[k] = torch.zeros_like(x[0]) if k < 3 else blank
        changed, wanted = arranged(*given)[0].int() - second, exact(*given).int() - first
        assert wanted.abs().max() > 0
        assert (changed - wanted).abs().float().mean() < 1
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name


@torch.no_grad()
@pytest.mark.parametrize("level", [False, True])
def test_rows_are_shuffled_as_pixels_are(level):
    conv = torch.nn.Conv2d(3, 16, 3, padding=1)
    conv.weight[:4] *= 30  # one channel that would need another scale
    x = torch.rand(1, 3, 6, 8)
    rows, factor = level_channels(by_rows(conv)) if level else (by_rows(conv), torch.ones(4))
    shuffled = RowShuffle()(rows(x)) * factor[:, None, None]
    assert torch.allclose(shuffled, torch.nn.functional.pixel_shuffle(conv(x), 2), atol=1e-5)
    if level:
        sizes = rows.weight.unflatten(0, (4, 4)).square().sum((0, 2, 3, 4))
        assert torch.allclose(sizes, torch.ones(4))


@pytest.mark.slow
def test_int8_renders_nearly_the_same(generator, dataset):
    conditionings = dataset.conditionings[:6]
    exact, rough = (
        np.stack(list(roll_out(onnx_network(one.SerializeToString()), conditionings))).astype(float)
        for one in (to_onnx(ExportedStep(generator), 128),
                    quantize(to_onnx(CpuStep(generator), 128, SEAMS), dataset))
    )  # fmt: skip
    assert exact.std() > 20
    assert 10 * np.log10(255**2 / ((exact - rough) ** 2).mean()) > 38


@pytest.mark.slow
def test_cut_at_its_seams_it_renders_the_same(generator, dataset):
    small = quantize(to_onnx(CpuStep(generator), 128, SEAMS), dataset)
    whole = ort.InferenceSession(small.SerializeToString())
    conditioning = dataset.conditionings[3]
    wanted = whole.run(None, Recurrence().inputs(conditioning))[0]
    image = CpuInt8Generator(small, "small.int8.onnx").step(np.array(conditioning))
    difference = np.abs(image.astype(int) - wanted)
    assert difference.mean() < 0.1 and np.quantile(difference, 0.99) <= 1


@pytest.mark.slow
def test_int8_reads_images_as_they_are(generator, dataset):
    small = quantize(to_onnx(CpuStep(generator), 128, SEAMS), dataset)
    makers = {output: node.op_type for node in small.graph.node for output in node.output}
    quantized = [node for node in small.graph.node if node.op_type == "QuantizeLinear"]
    assert quantized and all(makers.get(node.input[0]) != "Div" for node in quantized)
    assert "DepthToSpace" not in makers.values()
    constants = {tensor.name: tensor for tensor in small.graph.initializer}
    weights = [np.frombuffer(constants[node.input[0]].raw_data, np.int8) for node in small.graph.node
               if node.op_type == "DequantizeLinear" and node.input[0] in constants
               and constants[node.input[0]].data_type == 3]  # fmt: skip
    convolutions = [name for name, one in generator.named_modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(weights) == sum(not name.startswith("to_bend") for name in convolutions)
    # Two products of a byte and a weight fit in 16 bits.
    assert max(np.abs(w.astype(int)).max() for w in weights) <= 64
