"""The networks and losses by hand."""

from __future__ import annotations

import pytest
import torch

from offline.networks.exported_step import NO_OUTPUT_VALUE
from offline.networks.paper_generator import PaperGenerator
from offline.networks.patch_discriminator import MultiScaleDiscriminator
from offline.training.adversarial_losses import discriminator_loss, feature_matching, generator_loss
from offline.training.pixel_losses import gradient_l1, weighted_l1

pytestmark = pytest.mark.fast


def test_losses_by_hand():
    a, b, w = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.full((1, 1, 4, 4), 2.0)
    assert weighted_l1(a, b, w) == 2 and gradient_l1(a, b, w) == 0
    step = torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1
    assert gradient_l1(step, a, torch.ones(1, 1, 4, 4)) == pytest.approx(1 / 3)
    ones, zeros = [[torch.ones(1, 1, 2, 2)]], [[torch.zeros(1, 1, 2, 2)]]
    assert discriminator_loss(ones, zeros) == 0 and discriminator_loss(zeros, ones) == 1
    assert generator_loss(ones) == 0 and generator_loss(zeros) == 0.5
    assert generator_loss(zeros * 2) == 1  # summed over scales
    features = lambda v: [[torch.full((1, 2, 2, 2), float(v)), torch.zeros(1, 1, 2, 2)]]  # noqa: E731
    assert feature_matching(features(1), features(4)) == 3
    assert feature_matching(features(1) * 2, features(4) * 2) == 3  # mean over scales
    two_layers = lambda v: [[*features(v)[0][:1], *features(v)[0]]]  # noqa: E731
    assert feature_matching(two_layers(1), two_layers(4)) == 6  # summed over layers


def test_discriminator_scales():
    features = MultiScaleDiscriminator(9, width=8)(torch.zeros(1, 9, 64, 64))
    assert len(features) == 2 and len(features[0]) == 5
    assert features[0][-1].shape[2] > features[1][-1].shape[2]


def test_the_papers_networks_have_its_numbers_of_parameters():
    def millions(network):
        return sum(p.numel() for p in network.parameters()) / 1e6

    with torch.device("meta"):
        assert millions(PaperGenerator()) == pytest.approx(70.8, abs=0.05)
        assert millions(MultiScaleDiscriminator(9, width=64)) == pytest.approx(5.54, abs=0.01)
    with torch.no_grad():
        image = PaperGenerator(64, width=8)(torch.zeros(1, 18, 64, 64), torch.zeros(1, 6, 64, 64))
    assert image.shape == (1, 3, 64, 64)


def test_the_papers_first_frame_does_not_hang_on_rounding():
    torch.manual_seed(0)
    network, conditioning = PaperGenerator(64, width=8), torch.rand(1, 18, 64, 64)
    blank = torch.full((1, 6, 64, 64), NO_OUTPUT_VALUE)
    with torch.no_grad():
        first, rounded, second = (network(conditioning, p) for p in (blank, blank + 1e-7 * torch.randn(1, 6, 64, 64),
                                                                     blank + torch.randn(1, 6, 64, 64)))  # fmt: skip
    assert torch.equal(first, rounded) and not torch.allclose(first, second, atol=0.01)
