"""aiortc is patched in its private parts, so another version is refused before it is imported."""

from __future__ import annotations

import tomllib

import pytest
from conftest import REPOSITORY

from live import cli
from live.streaming.webrtc import aiortc_version

pytestmark = pytest.mark.fast


def test_what_is_checked_is_what_is_installed_with_the_program():
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    for package, required in aiortc_version.REQUIRED.items():
        assert f"{package}=={required}" in wanted


@pytest.mark.parametrize("package", aiortc_version.REQUIRED)
def test_another_version_is_one_sentence(package, monkeypatch, capsys):
    monkeypatch.setitem(aiortc_version.REQUIRED, package, "0.0.1")
    assert cli.main(["--no-server"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and f"needs {package} 0.0.1" in lines[0] and f"pip install {package}==0.0.1" in lines[0]
