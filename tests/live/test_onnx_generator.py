from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.recurrence import INPUTS, Recurrence
from live.generators.onnx_runtime import OnnxGenerator
from offline.export.onnx_step import export_onnx
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import ExportedStep
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    network = CompactGenerator(64, widths=(8, 12, 16), fine=8)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)  # residual paths begin at zero; here they must count
    path = tmp_path_factory.mktemp("target") / "random.onnx"
    onnx.save(export_onnx(network, 64), path)
    return network, path


def test_follows_torch_over_a_roll_out(exported, model):
    """On conditionings of a face: for noise, which implies no camera, places on the head are ill-defined."""
    network, path = exported
    person, renderer = Person(model, 4), CpuConditioning(model, 64)
    conditionings = np.stack([renderer.render(p) for p in act(person, natural_motion(20, 4), 64)])
    generator = OnnxGenerator(path, threads=1)
    images = np.stack([generator.step(c) for c in conditionings])
    assert images.dtype == np.uint8
    step, history = ExportedStep(network).eval(), Recurrence()
    for image, conditioning in zip(images, conditionings, strict=True):
        inputs = history.inputs(conditioning)
        with torch.no_grad():
            wanted = step(*(torch.from_numpy(inputs[name].copy()) for name in INPUTS)).numpy()
        history.advance(conditioning, wanted)
        assert np.abs(image.astype(int) - wanted).max() <= 1


def test_state_matters_and_reset_forgets_it(exported):
    _, path = exported
    generator = OnnxGenerator(path, threads=1)
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 255, (2, 64, 64, 6), dtype=np.uint8)
    first = generator.step(a)
    generator.step(b)
    assert not np.array_equal(generator.step(a), first)
    generator.reset()
    assert np.array_equal(generator.step(a), first)


def test_only_operators_that_tensorrt_has_built_in(exported):
    _, path = exported
    used = {node.op_type for node in onnx.load(path).graph.node}
    plain = {"Conv", "Relu", "Add", "Concat", "Sigmoid", "Cast", "Transpose", "Unsqueeze", "Reshape", "Mul", "Sub",
             "Div", "Constant", "DepthToSpace", "Clip", "Slice", "Gather", "Identity", "Expand", "Flatten", "Split",
             "Gemm", "Squeeze", "Shape", "ConstantOfShape", "Where", "Equal", "ReduceMean", "ReduceSum", "Resize",
             "GridSample", "Reciprocal"}  # fmt: skip
    assert used <= plain


def test_foreign_network_says_so(tmp_path):
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(UserError, match="cannot load"):
        OnnxGenerator(tmp_path / "junk.onnx")
