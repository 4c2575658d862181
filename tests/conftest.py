"""Shared parts of the tests. Clips of real people lie outside the repository; tests that need them skip without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import live  # noqa: F401  compiled functions are kept where the commands keep them: before numba is imported
from face.camera import ScaledOrthographicCamera
from face.landmarks import UNIT_NAMES, Landmarks
from face.morphable import MorphableModel
from face.parameters import EXPRESSION_SIZE, IDENTITY_SIZE, UNITS, FaceParameters
from face.target import TargetInfo
from face.threads import compute_on_one_thread

REPOSITORY = Path(__file__).parents[1]
CLIPS = REPOSITORY.parent / "shared" / "videos"
CATEGORIES = ("fast", "slow", "server", "browser", "foreign", "gpu")
DEMO_TARGET = REPOSITORY / "trt_engines" / "demo.onnx"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for the fast tests; one for all others, which wait for clocks and sockets."""
    if config.option.markexpr != "fast":
        return 0
    config.option.dist = "loadfile"  # modules share what they make
    return 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its own category, or else its module's: ``-m fast`` leaves out a fast module's slow tests."""
    categories = {}
    for item in items:
        names = [mark.name for mark in item.iter_markers() if mark.name in CATEGORIES]
        if not names:
            raise pytest.UsageError(f"{item.path} has no category: pytestmark = pytest.mark.{'|'.join(CATEGORIES)}")
        categories[item] = names[0]  # the closest
    for item, category in categories.items():
        for node in item.listchain():
            node.own_markers[:] = [mark for mark in node.own_markers if mark.name not in CATEGORIES]
        item.add_marker(category)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As the commands begin: a loop beside idle BLAS threads, which spin, takes three times the CPU time."""
    compute_on_one_thread()


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return MorphableModel.load()


def real_clip(name: str) -> Path:
    """A clip of a real person, or skip."""
    path = CLIPS / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture
def clip():
    return real_clip


@pytest.fixture(scope="session")
def chromium() -> str:
    from browser import installed  # brings Playwright along

    found = installed()
    if found is None:
        pytest.skip("no Chromium is installed")
    return found


def units(**weights: float) -> np.ndarray:
    """Expression ``[EXPRESSION_SIZE]`` by unit names."""
    expression = np.zeros(EXPRESSION_SIZE)
    for name, weight in weights.items():
        expression[UNIT_NAMES.index(name)] = weight
    return expression


def camera(yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 90, size: int = 256):
    return ScaledOrthographicCamera.from_euler(np.array([yaw, pitch, roll]), scale, np.array([size / 2, size * 0.44]))


def true_landmarks(model: MorphableModel, parameters: FaceParameters, scores: np.ndarray, size: int = 256) -> Landmarks:
    """What a perfect tracker would see, irises at rest."""
    points = model.landmarks_of(model.shape(parameters.identity, parameters.expression))
    return Landmarks(parameters.camera.project(points)[:, :2], scores[UNITS], size, size)


@pytest.fixture(scope="session")
def network():
    """A small generator, untrained, exported."""
    import torch

    from offline.export.onnx_step import export_onnx
    from offline.networks.compact_generator import CompactGenerator

    torch.manual_seed(0)
    return export_onnx(CompactGenerator(64, widths=(8, 12, 16), fine=8), 64)


@pytest.fixture
def target_info(module_target: TargetInfo) -> TargetInfo:
    return module_target


@pytest.fixture(scope="module")
def module_target(model: MorphableModel) -> TargetInfo:
    return TargetInfo(
        name="test",
        title="Test",
        profile="compact",
        size=64,
        model_hash=model.hash,
        identity=[0.1] * IDENTITY_SIZE,
        neutral_expression=[0.05] * len(UNIT_NAMES) + [0.0] * (EXPRESSION_SIZE - len(UNIT_NAMES)),
        neutral_gaze=[1.0, -1.0],
        scale_mean=25.0,
        translation_mean=[1.2, 1.1],
        translation_std=[0.1, 0.05],
        euler_low_deg=[-30.0, -15.0, -10.0],
        euler_high_deg=[30.0, 15.0, 10.0],
        head_motion=[[k, 0.0, 0.0, 25.0, 32.0, 28.0] for k in range(10)],
        provenance="an invented person",
    )


@pytest.fixture
def short_videos(monkeypatch):
    """Videos of tests are shorter than a user's may be."""
    monkeypatch.setattr("offline.reconstruct.reconstruction._SHORTEST_S", 0.3)


@pytest.fixture(scope="session")
def dataset_folder(model, tmp_path_factory) -> Path:
    """A synthetic person, filmed and reconstructed by our own tracker and fit."""
    from face.video import VideoWriter
    from offline.reconstruct.options import ReconstructionOptions
    from offline.reconstruct.reconstruction import reconstruct
    from offline.synthetic.motion import natural_motion
    from offline.synthetic.raster_people import Person, act

    folder = tmp_path_factory.mktemp("person")
    person = Person(model, 7)
    for take in range(3):
        with VideoWriter(folder / f"take{take}.mp4", 25) as writer:
            for parameters in act(person, natural_motion(10, 70 + take), 256):
                writer.write(person.render(parameters, 256, 256))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offline.reconstruct.reconstruction._SHORTEST_S", 0.3)
        videos = [folder / "take0.mp4", folder / "take1.mp4"]
        reconstruct(folder / "dataset", ReconstructionOptions(videos, [folder / "take2.mp4"], size=128))
    return folder / "dataset"
