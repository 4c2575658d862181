from __future__ import annotations

from urllib.error import URLError

import numpy as np
import pytest
import torch

from face.errors import UserError
from offline.training.perceptual_loss import (
    PyramidDistance,
    Vgg16Perceptual,
    Vgg16Trunk,
    Vgg19Perceptual,
    load_perceptual,
)

pytestmark = pytest.mark.fast


def vgg19_state():
    """Random weights under torchvision's names."""
    widths = (64, 128, 256, 512, 512)
    state, number, channels = {}, 0, 3
    for width, count in zip(widths, (2, 2, 4, 4, 4), strict=True):
        for _ in range(count):
            state[f"features.{number}.weight"] = torch.randn(width, channels, 3, 3) * (2 / 9 / channels) ** 0.5
            state[f"features.{number}.bias"] = torch.zeros(width)
            number, channels = number + 2, width
        number += 1
    return state


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    """A VGG16 trunk's file with random weights."""
    rng = np.random.default_rng(0)
    widths, arrays, channels = (64, 128, 256), {}, 3
    for name in Vgg16Trunk.LAYERS[:7]:
        width = widths[int(name[0]) - 1]
        arrays[f"conv{name}.weight"] = rng.normal(0, (2 / 9 / channels) ** 0.5, (width, channels, 3, 3))
        arrays[f"conv{name}.bias"] = np.zeros(width)
        channels = width
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("which", ["vgg16", "vgg19", "pyramid"])
def test_zero_for_the_same_image_and_differentiable(which, trunk):
    torch.manual_seed(0)
    loss = {
        "vgg16": lambda: Vgg16Perceptual(trunk),
        "vgg19": lambda: Vgg19Perceptual(vgg19_state()),
        "pyramid": PyramidDistance,
    }[which]()
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    assert loss(image, image) == 0
    changed = (image * 0.5).requires_grad_()
    loss(changed, image).backward()
    assert changed.grad is not None and changed.grad.abs().sum() > 0
    assert not loss.state_dict()  # the trunk does not go into checkpoints


def test_vgg19_sees_what_torchvisions_sees():
    """relu1_1 and relu2_1 by hand, of an ImageNet-normalized image."""
    torch.manual_seed(0)
    state = vgg19_state()
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    x = ((image + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    conv = lambda x, n: torch.relu(torch.nn.functional.conv2d(x, state[f"features.{n}.weight"], padding=1))  # noqa: E731
    first = conv(x, 0)
    second = conv(torch.nn.functional.max_pool2d(conv(first, 2), 2), 5)
    found = Vgg19Perceptual(state).features(image)
    assert [f.shape[1] for f in found] == [64, 128, 256, 512, 512]
    assert torch.allclose(found[0], first, atol=1e-5) and torch.allclose(found[1], second, atol=1e-4)


def test_what_is_taken(trunk, tmp_path, monkeypatch, capsys):
    assert isinstance(load_perceptual(trunk), Vgg16Perceptual)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: vgg19_state())
    assert isinstance(load_perceptual(None), Vgg19Perceptual)

    def refuse(*_, **__):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    assert isinstance(load_perceptual(None), PyramidDistance)
    assert "stands in" in capsys.readouterr().err
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match="no VGG16 trunk"):
        load_perceptual(tmp_path / "bad.npz")
