from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from face.errors import UserError
from face.parameters import EXPRESSION_SIZE
from face.target import find_target, read_info, read_plan, write_engine, write_onnx

pytestmark = pytest.mark.fast


@pytest.fixture
def network():
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [result])
    return helper.make_model(graph)


def test_onnx_round_trip(tmp_path, network, target_info):
    path = tmp_path / "a.onnx"
    write_onnx(path, network, target_info)
    write_onnx(path, onnx.load(path), target_info)  # written twice: one description
    assert asdict(read_info(path, target_info.model_hash)) == asdict(target_info)
    assert len(onnx.load(path).metadata_props) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_engine_round_trip(tmp_path, target_info):
    path = tmp_path / "a.engine"
    write_engine(path, b"\0plan\xff" * 1000, target_info)
    assert read_info(path, target_info.model_hash) == target_info
    assert read_plan(path) == b"\0plan\xff" * 1000


def test_pixels_follow_the_size(target_info):
    """The same place and motion in an image twice as large, but in pixels of that one."""
    center = np.arange(6.0 + EXPRESSION_SIZE).tolist()
    small = replace(target_info, motion_center=center)
    large = small.at(2 * small.size)
    assert large.size == 128 and large.sizes == [64, 128] and small.at(64) is small
    for info in (small, large):
        ends = info.resting().camera.project(np.array([[0.0, 0, 0], [1, 1, 1]])) / info.size
        assert np.allclose(ends, small.resting().camera.project(np.array([[0.0, 0, 0], [1, 1, 1]])) / small.size)
    assert np.allclose(np.array(large.head_motion)[:, 3:], 2 * np.array(small.head_motion)[:, 3:])
    assert np.allclose(np.subtract(large.motion_center, center)[:5], [0, 0, 0, np.log(2), 0])


def test_foreign_corrupt_and_empty_files(tmp_path, network, target_info):
    onnx.save(network, tmp_path / "foreign.onnx")
    (tmp_path / "junk.onnx").write_bytes(np.random.default_rng(0).bytes(500))
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "foreign.engine").write_bytes(b"ftrt" + bytes(100))
    (tmp_path / "short.engine").write_bytes(b"H2HTARGET\xff\xff")
    write_engine(tmp_path / "cut.engine", b"", target_info)
    (tmp_path / "cut.engine").write_bytes((tmp_path / "cut.engine").read_bytes()[:60])
    for path in tmp_path.iterdir():
        with pytest.raises(UserError, match="not a target file"):
            read_info(path, target_info.model_hash)


def test_other_versions_and_models(tmp_path, target_info):
    path = tmp_path / "a.engine"
    write_engine(path, b"", target_info)
    with pytest.raises(UserError, match="another morphable model: export it again"):
        read_info(path, "0" * 64)
    later = json.loads(target_info.to_json()) | {"format": 99}
    text = json.dumps(later).encode()
    path.write_bytes(b"H2HTARGET" + len(text).to_bytes(8, "little") + text)
    with pytest.raises(UserError, match="another version"):
        read_info(path, target_info.model_hash)


def test_names_and_files_are_looked_up(tmp_path, target_info, monkeypatch):
    here, first, second = (tmp_path / name for name in ("here", "first", "second"))
    for folder in (here, first, second):
        folder.mkdir()
    monkeypatch.chdir(here)
    write_engine(second / "ann.engine", b"", target_info)
    find = lambda name: find_target(name, [first, second])  # noqa: E731
    assert find("ann") == find("ann.engine") == second / "ann.engine"
    (first / "ann.engine").touch()
    assert find("ann") == find("ann.engine") == first / "ann.engine"
    (first / "ann.onnx").touch()
    assert find("ann") == first / "ann.onnx" and find("ann.engine") == first / "ann.engine"
    (here / "ann.engine").touch()
    assert find("ann.engine").resolve() == here / "ann.engine"
    assert find(str(second / "ann.engine")) == second / "ann.engine"
    with pytest.raises(UserError, match="there: ann"):
        find("bob")
    with pytest.raises(UserError, match="no target file bob.onnx, nor in .*first"):
        find("bob.onnx")
    with pytest.raises(UserError, match="no target file elsewhere/ann.engine.$"):  # a path is taken as it is
        find("elsewhere/ann.engine")
