"""A file is there whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from face.files import atomic, sha256, write_whole

pytestmark = pytest.mark.fast


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


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), atomic(tmp_path / "a") as partial:
        partial.write_bytes(b"ne")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"old"


def test_a_file_in_the_making_is_found_by_no_search_and_has_its_ending(tmp_path):
    with atomic(tmp_path / "a.npz") as partial:
        partial.write_bytes(b"x")
        assert partial.suffix == ".npz" and list(tmp_path.glob("*.npz")) == []


def test_two_who_write_one_file_do_not_mix(tmp_path):
    """The last to end wins, whole."""
    begun, go_on = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with atomic(tmp_path / "a") as partial:
            partial.write_bytes(b"slow")
            begun.set()
            go_on.wait(30)

    thread = threading.Thread(target=write_slowly)
    thread.start()
    assert begun.wait(30)
    write_whole(tmp_path / "a", b"quick")
    assert (tmp_path / "a").read_bytes() == b"quick"
    go_on.set()
    thread.join()
    assert (tmp_path / "a").read_bytes() == b"slow" and [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell what a descriptor is of")
def test_content_is_on_the_disk_before_the_name_and_then_the_name(tmp_path, monkeypatch):
    """A power cut leaves the old file or the new one."""
    steps = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(descriptor):
        steps.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        sync(descriptor)

    def noted_replace(self, target):
        steps.append(("name", self.name))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_whole(tmp_path / "a", b"x")
    assert steps == [("sync", "a"), ("name", "a"), ("sync", tmp_path.name)]
