"""What comes from the network is checked, and runs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from face.errors import UserError
from face.files import sha256
from offline.downloads import fetch_weights
from offline.evaluate import lpips
from offline.training import perceptual_loss

pytestmark = pytest.mark.fast


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self):
        return Path.touch, (self._mark,)


def served(path: Path) -> str:
    """The address of a file under a name that tells its hash."""
    named = path.with_name(f"weights-{sha256(path)[:8]}.pth")
    path.rename(named)
    return named.as_uri()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Torch's, empty."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return tmp_path / "cache" / "checkpoints"


def test_weights_are_fetched_once(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "w")
    address = served(tmp_path / "w")
    assert fetch_weights(address)["a"].tolist() == [1, 1]
    Path(address.removeprefix("file://")).unlink()
    assert fetch_weights(address)["a"].tolist() == [1, 1]


def test_a_file_of_another_hash_is_refused_fetched_or_kept(tmp_path, cache):
    torch.save({"a": torch.ones(2)}, tmp_path / "weights-00000000.pth")
    address = (tmp_path / "weights-00000000.pth").as_uri()
    with pytest.raises(UserError, match="not what its name says"):
        fetch_weights(address)
    assert not list(cache.iterdir())
    (tmp_path / "weights-00000000.pth").rename(cache / "weights-00000000.pth")
    with pytest.raises(UserError, match="remove .*weights-00000000.pth"):
        fetch_weights(address)


@pytest.mark.parametrize("load", [fetch_weights, "VGG19_URL", "VGG16_URL"])
def test_nothing_in_a_file_is_run(tmp_path, monkeypatch, load):
    """Not by the two that fetch, either."""
    torch.save({"a": Bomb(tmp_path / "mark")}, tmp_path / "w")
    address = served(tmp_path / "w")
    with pytest.raises(UserError, match="not what its name says"):
        if load == "VGG19_URL":
            monkeypatch.setattr(perceptual_loss, load, address)
            perceptual_loss.load_perceptual(None)
        elif load == "VGG16_URL":
            monkeypatch.setattr(lpips, load, address)
            torch.save({f"lin{k}.model.1.weight": torch.ones(1) for k in range(5)}, tmp_path / "heads")
            lpips.load_lpips(None, tmp_path / "heads")
        else:
            fetch_weights(address)
    assert not (tmp_path / "mark").exists()
