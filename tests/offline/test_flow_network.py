from __future__ import annotations

import numpy as np
import pytest
import torch

from face.errors import UserError
from offline.flow import train as flow_training
from offline.flow.refinement_unet import FlowNetwork
from offline.flow.train import compare, film_pairs, learn, masked_endpoint_error

pytestmark = pytest.mark.slow


def test_masked_endpoint_error_by_hand():
    flow, estimate = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    truth = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).expand(1, 2, 1, 2)
    face = torch.tensor([True, False]).view(1, 1, 1, 2)
    # 5 px on the face with weight 1, 0 (and a hundredth that keeps the root smooth) elsewhere with weight 0.3.
    assert masked_endpoint_error(flow, truth, estimate, face) == pytest.approx((5 + 0.3 * 0.01) / 1.3, abs=1e-3)


def test_an_untaught_network_leaves_the_estimate_alone():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, 40, 56, 3)).astype(np.uint8)  # no multiple of 16
    estimate = rng.normal(0, 2, (40, 56, 2)).astype(np.float32)
    assert np.allclose(FlowNetwork().refine(*frames, estimate), estimate, atol=1e-5)


def test_the_network_that_ships_beats_dis_on_strangers(model):
    """Endpoint error on a face that taught it nothing; elsewhere it keeps to DIS."""
    table = compare(FlowNetwork.load(), list(film_pairs(model, 6003)))
    assert set(table) == {"1 apart", "3 apart", "9 apart", "all"}
    for dis, learned, elsewhere in table.values():
        assert learned < 0.8 * dis and elsewhere < 0.1


def test_the_error_falls(model, monkeypatch):
    """A network that sees one pair of frames over and over learns the way of the face."""
    monkeypatch.setattr(flow_training, "_RATE", 3e-3)
    far = lambda one: np.linalg.norm(one.estimate - one.truth, axis=-1)[one.face].mean()  # noqa: E731
    example = max(film_pairs(model, 5001), key=far)
    (dis, learned, elsewhere) = compare(learn([example], 80), [example])["all"]
    assert learned < 0.8 * dis and elsewhere < 0.5 * dis


def test_weights_come_back(tmp_path):
    torch.manual_seed(0)
    network = FlowNetwork()
    torch.nn.init.normal_(network.out.weight)
    network.save(tmp_path / "flow.npz")
    again = FlowNetwork.load(tmp_path / "flow.npz")
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-3)
    with pytest.raises(UserError, match=r"flow_learning"):
        FlowNetwork.load(tmp_path / "nothing.npz")
