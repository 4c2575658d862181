from __future__ import annotations

import logging
from pathlib import Path

import pytest

from face.folders import writable

pytestmark = pytest.mark.fast


def test_a_folder_that_can_be_made_is_taken(tmp_path, caplog):
    folder = tmp_path / "a" / "b"
    assert writable(folder, "certificates") == folder and folder.is_dir()
    assert list(folder.iterdir()) == [] and not caplog.records


def test_elsewhere_one_for_this_run_stands_in(tmp_path, caplog):
    (tmp_path / "file").touch()
    for impossible in (tmp_path / "file" / "a", Path("~/.cache")):  # as paths are without a home
        with caplog.at_level(logging.WARNING):
            folder = writable(impossible, "certificates")
        (folder / "x").touch()
        assert "certificates are kept for this run only" in caplog.records[-1].message
    assert len(caplog.records) == 2 and not Path("~").exists()
