"""A generator's step as an ONNX model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import torch
from torch import nn

from face.recurrence import INPUTS
from offline.export.onnx_graph import halve_maps
from offline.networks.exported_step import ExportedStep
from offline.training.profiles import Generator

_OPSET = 17


def export_onnx(generator: Generator, size: int) -> onnx.ModelProto:
    """The generator's step as an ONNX model with inputs ``INPUTS`` and output ``output``.

    The generator's maps are rounded to half precision, in which they are stored.
    """
    with torch.no_grad():
        for texture in generator.textures():
            texture.copy_(texture.half())
    model = to_onnx(ExportedStep(generator), size)
    halve_maps(model)
    return model


def to_onnx(step: nn.Module, size: int, seams: tuple[str, ...] = ()) -> onnx.ModelProto:
    """A step on images ``[size, size, C]``, ``ExportedStep`` or ``CpuStep``, as an ONNX model.

    Args:
        step: what to export.
        size: height and width of its images.
        seams: names of what it puts out beside the image.
    """
    shapes = [(size, size, 6)] * 3 + [(size, size, 3)] * 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        torch.onnx.export(
            step.eval(),
            tuple(torch.zeros(s, dtype=torch.uint8) for s in shapes),
            path,
            input_names=list(INPUTS),
            output_names=["output", *seams],
            opset_version=_OPSET,
            do_constant_folding=not seams,  # it would turn tables of bytes into floats
            dynamo=False,
        )
        model = onnx.load(str(path))
    _declare_inputs(model, shapes)
    return model


def _declare_inputs(model: onnx.ModelProto, shapes: list[tuple[int, int, int]]) -> None:
    """Give a model all of ``INPUTS``: the exporter leaves out those that nothing reads, and all steps look alike."""
    used = {value.name: value for value in model.graph.input}
    del model.graph.input[:]
    for name, shape in zip(INPUTS, shapes, strict=True):
        declared = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, shape)
        model.graph.input.append(used.get(name, declared))
