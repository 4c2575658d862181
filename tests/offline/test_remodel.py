from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from face.errors import UserError
from face.parameters import EXPRESSION_SIZE
from face.target import read_any_info, read_info, write_engine, write_onnx
from offline.export import newer_model as export

pytestmark = pytest.mark.fast

FORMER = "f" * 64


@pytest.fixture
def former(tmp_path, monkeypatch, target_info):
    """A target and its int8 twin of a former model with 52 directions of expression."""
    monkeypatch.setattr(export, "_PREDECESSORS", (FORMER,))
    info = replace(target_info, model_hash=FORMER, neutral_expression=[0.25] * 52)
    for name in ("ann.onnx", "ann.int8.onnx"):
        value, result = (helper.make_tensor_value_info(v, TensorProto.FLOAT, [1]) for v in "xy")
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], name, [value], [result])
        write_onnx(tmp_path / name, helper.make_model(graph), info)
    return tmp_path / "ann.onnx"


@pytest.mark.parametrize("given", ["ann.onnx", "ann.int8.onnx"])
def test_both_files_of_a_target_are_taken_over(former, model, given):
    with pytest.raises(UserError, match="another morphable model"):
        read_info(former, model.hash)
    export.remodel(former.with_name(given))
    for path in (former, former.with_suffix(".int8.onnx")):
        info = read_info(path, model.hash)
        assert info.neutral_expression == [0.25] * 52 + [0.0] * (EXPRESSION_SIZE - 52)
        assert np.allclose(info.identity, 0.1) and info.resting().expression.shape == (EXPRESSION_SIZE,)
        assert onnx.load(path).graph.name == path.name  # the network itself stays
    assert sorted(p.name for p in former.parent.iterdir()) == ["ann.int8.onnx", "ann.onnx"]


def test_a_target_without_a_twin_and_one_that_is_current(former, model, capsys):
    former.with_suffix(".int8.onnx").unlink()
    export.remodel(former)
    written = former.read_bytes()
    export.remodel(former)
    assert former.read_bytes() == written and "already" in capsys.readouterr().out
    assert [p.name for p in former.parent.iterdir()] == ["ann.onnx"]


def test_what_cannot_be_taken_over(former, monkeypatch, target_info):
    engine = former.with_suffix(".engine")
    write_engine(engine, b"", target_info)
    with pytest.raises(UserError, match="no ONNX target"):
        export.remodel(engine)
    with pytest.raises(UserError, match="Cannot read the target"):
        export.remodel(former.with_name("bob.onnx"))
    monkeypatch.setattr(export, "_PREDECESSORS", ())
    with pytest.raises(UserError, match="reconstruct and train it again"):
        export.remodel(former)
    assert read_any_info(former).model_hash == FORMER
