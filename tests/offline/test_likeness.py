from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from conftest import camera, true_landmarks, units

from face.errors import UserError
from face.landmarks import LEFT_EYE, RIGHT_EYE
from face.parameters import FaceParameters
from offline.evaluate import lpips
from offline.evaluate.identity import FaceRecognizer, face_crop
from offline.evaluate.lpips import Lpips, load_lpips
from offline.training.perceptual_loss import Vgg16Trunk

pytestmark = pytest.mark.slow
WIDTHS = (64, 128, 256, 512, 512)


@pytest.fixture(scope="module")
def trunk_weights():
    rng, weights, channels = np.random.default_rng(0), {}, 3
    for name in Vgg16Trunk.LAYERS:
        width = WIDTHS[int(name[0]) - 1]
        weights[f"conv{name}.weight"] = rng.normal(0, (2 / 9 / channels) ** 0.5, (width, channels, 3, 3)).astype("f4")
        weights[f"conv{name}.bias"] = np.zeros(width, np.float32)
        channels = width
    return weights


@pytest.fixture(scope="module")
def files(trunk_weights, tmp_path_factory):
    """Files of a trunk and of heads."""
    folder = tmp_path_factory.mktemp("lpips")
    np.savez(folder / "trunk.npz", **trunk_weights)
    torch.save(
        {f"lin{k}.model.1.weight": torch.full((1, w, 1, 1), 0.1) for k, w in enumerate(WIDTHS)}, folder / "h.pth"
    )
    return folder / "trunk.npz", folder / "h.pth"


def test_lpips_by_hand():
    """Two features of unit length at right angles are 2 apart, squared, and each head weighs them."""
    features = torch.zeros(2, 2, 1, 1)
    features[0, 0], features[1, 1] = 7.0, 3.0
    lpips = Lpips(lambda _: [features, features], [torch.tensor([0.5, 0.25]), torch.tensor([1.0, 1.0])], "lpips")
    image = np.zeros((1, 1, 3), np.uint8)
    assert lpips.distance(image, image) == pytest.approx(0.75 + 2.0)


def test_same_images_are_not_apart_and_others_are(files):
    rng = np.random.default_rng(0)
    lpips = load_lpips(*files)
    assert lpips is not None and lpips.name == "lpips_like"
    image = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    little, much = (np.clip(image + rng.normal(0, s, image.shape), 0, 255).astype(np.uint8) for s in (5, 60))
    assert lpips.distance(image, image) == 0
    assert 0 < lpips.distance(little, image) < lpips.distance(much, image)


def test_torchvisions_vgg16_is_read_by_its_names(trunk_weights):
    numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    state = {
        f"features.{n}.{kind}": torch.from_numpy(trunk_weights[f"conv{name}.{kind}"])
        for n, name in zip(numbers, Vgg16Trunk.LAYERS, strict=True)
        for kind in ("weight", "bias")
    }
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    first = lpips.imagenet_trunk(state)(image)[0]
    x = ((image + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    for n in (0, 2):
        x = torch.relu(torch.nn.functional.conv2d(x, state[f"features.{n}.weight"], padding=1))
    assert torch.allclose(first, x, atol=1e-4)


def test_without_heads_it_is_left_out_and_said(monkeypatch, capsys):
    monkeypatch.setattr(lpips, "_packaged_heads", lambda: None)
    assert load_lpips(None) is None
    assert "left out" in capsys.readouterr().err


def test_the_face_stands_upright_in_the_recognizers_crop(model):
    face = FaceParameters(np.zeros(80), units(), camera(0, 0, 20, scale=60), np.zeros(2))
    seen = true_landmarks(model, face, units())
    image = np.zeros((256, 256, 3), np.uint8)
    for eye, color in ((LEFT_EYE, 0), (RIGHT_EYE, 1)):
        x, y = np.round(seen.points[list(eye)].mean(0)).astype(int)
        image[y - 2 : y + 3, x - 2 : x + 3, color] = 255
    crop = face_crop(image, seen)
    for color, place in ((1, (38, 52)), (0, (74, 52))):  # the subject's right eye is on the image's left
        rows, columns = np.nonzero(crop[..., color] > 100)
        assert np.hypot(columns.mean() - place[0], rows.mean() - place[1]) < 6


@pytest.fixture
def color_recognizer(tmp_path):
    """Tells people by their mean color."""
    node = onnx.helper.make_node("GlobalAveragePool", ["face"], ["embedding"])
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node], "mean", [tensor("face", 1, [1, 3, 112, 112])], [tensor("embedding", 1, [1, 3, 1, 1])]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "color.onnx")
    return FaceRecognizer(tmp_path / "color.onnx")


def test_the_same_person_is_more_alike(model, color_recognizer):
    seen = true_landmarks(model, FaceParameters(np.zeros(80), units(), camera(), np.zeros(2)), units())
    red, blue = (np.full((256, 256, 3), c, np.uint8) for c in ((255, 128, 128), (128, 128, 255)))
    reference = color_recognizer.embedding(red, seen)
    assert color_recognizer.similarity(np.stack([red, red]), [seen, None], reference) == pytest.approx(1, abs=1e-3)
    assert color_recognizer.similarity(blue[None], [seen], reference) < 0.3


def test_files_that_are_no_recognizer_say_so(tmp_path, network):
    (tmp_path / "a.onnx").write_text("no network")
    with pytest.raises(UserError, match="is no ONNX network"):
        FaceRecognizer(tmp_path / "a.onnx")
    onnx.save(network, tmp_path / "b.onnx")
    with pytest.raises(UserError, match="give a face recognizer"):
        FaceRecognizer(tmp_path / "b.onnx")
