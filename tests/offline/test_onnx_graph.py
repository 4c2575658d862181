"""Changes to an exported graph keep what it computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F

from offline.onnx_graph import halve_maps, quicken_lookups

pytestmark = pytest.mark.unit


class Lookup(torch.nn.Module):
    """A map of a slope of 1/8 a texel across and 1/4 down, looked up at places."""

    def __init__(self) -> None:
        super().__init__()
        down, across = torch.meshgrid(torch.arange(40.0), torch.arange(48.0), indexing="ij")
        self.map = torch.nn.Parameter(torch.stack([across / 8, down / 4])[None])

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(self.map, places.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def test_a_table_gives_what_the_map_gives(tmp_path):
    places = torch.rand(1, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2  # some beyond the border
    network = Lookup()
    torch.onnx.export(network, (places,), tmp_path / "lookup.onnx", input_names=["places"], dynamo=False,
                      opset_version=17)  # fmt: skip
    model = onnx.load(tmp_path / "lookup.onnx")
    halve_maps(model)
    quicken_lookups(model)
    onnx.checker.check_model(model)
    assert not any(node.op_type == "GridSample" for node in model.graph.node)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"places": places.numpy()})[0]
    error = np.abs(found - network(places).detach().numpy()).max((0, 2, 3))
    assert (error <= np.array([1 / 8, 1 / 4]) / 8 + 1e-4).all()  # an eighth of a texel
    assert error.min() > 0
