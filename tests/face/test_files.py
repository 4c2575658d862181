"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from face.files import sha256, write_whole

pytestmark = pytest.mark.unit


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a", b"first")
    write_whole(tmp_path / "a", memoryview(b"abc"))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"abc"
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2


def test_on_a_full_disk_the_old_file_stays(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", b"old")
    write = Path.write_bytes

    def half(self, content):
        write(self, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"old"
