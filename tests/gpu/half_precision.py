"""An exported graph as PyTorch's module again, in half precision.

Apart from the stand-in: PyTorch's compiler refuses to look into any module named ``tensorrt``.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
import torch
from torch import Tensor, nn

from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import ExportedStep
from offline.networks.paper_generator import PaperGenerator


def network(graph: onnx.ModelProto, size: int) -> nn.Module:
    """The step that a graph from ``trt_engines.graph.for_tensorrt`` was exported from, on the CPU.

    The exporter keeps parameters' names; a graph in half precision and stored maps add an ending to them.
    """
    weights = {
        tensor.name.removesuffix(".narrow").removesuffix(".half"): onnx.numpy_helper.to_array(tensor)
        for tensor in graph.graph.initializer
        if tensor.name.startswith("generator.")
    }
    kind = PaperGenerator if "generator.decoder.0.path.1.weight" in weights else CompactGenerator
    step = ExportedStep(kind(size)).eval()
    step.load_state_dict({name: torch.tensor(value, dtype=torch.float32) for name, value in weights.items()})
    return in_half_precision(step)


def in_half_precision(step: nn.Module) -> nn.Module:
    """The same step with its layers in 16 bits and what lies between as it comes: geometry stays in 32."""
    for layer in step.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.half()
            layer.forward = _narrowed(layer.forward)  # type: ignore[method-assign]
    return step


def _narrowed(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: forward(x.half())
