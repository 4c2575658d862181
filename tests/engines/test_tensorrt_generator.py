"""The generator's rings, graphs and resets, on a GPU that only pretends."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pretend_gpu
import pytest

from face.errors import UserError
from face.target import write_onnx
from live.generators.onnx_runtime import OnnxGenerator
from live.generators.tensorrt import TensorRtGenerator

pytestmark = pytest.mark.fast


@pytest.fixture
def generators(network, module_target, tmp_path, monkeypatch):
    monkeypatch.setattr("live.generators.tensorrt.Gpu", pretend_gpu.Gpu)
    write_onnx(tmp_path / "small.onnx", network, module_target)
    made = object.__new__(TensorRtGenerator)
    made._runtime, made.size, made.description = None, 64, "pretended"
    session = ort.InferenceSession(network.SerializeToString())
    made._engine = pretend_gpu.Engine(session, 64)
    made._prepare(pretend_gpu.Gpu())
    return made, OnnxGenerator(tmp_path / "small.onnx")


def conditionings(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, 64, 64, 6), dtype=np.uint8)


def test_steps_are_those_of_the_cpu(generators):
    on_gpu, on_cpu = generators
    before = pretend_gpu.Graph.launches
    for conditioning in conditionings(0, 12):
        assert np.array_equal(on_gpu.step(conditioning), on_cpu.step(conditioning))
    assert pretend_gpu.Graph.launches - before == 10  # all but the two that warm up


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_a_reset_forgets_the_past_at_any_turn_of_the_rings(generators, steps):
    on_gpu, on_cpu = generators
    for conditioning in conditionings(1, steps):
        on_gpu.step(conditioning)
    on_gpu.reset()
    for conditioning in conditionings(2, 5):
        assert np.array_equal(on_gpu.step(conditioning), on_cpu.step(conditioning))


def test_a_twin_has_a_past_of_its_own(generators):
    on_gpu, on_cpu = generators
    for conditioning in conditionings(3, 4):
        on_gpu.step(conditioning)
    twin = on_gpu.clone()
    for mine, other in zip(conditionings(4, 6), conditionings(5, 6), strict=True):
        on_gpu.step(other)
        assert np.array_equal(twin.step(mine), on_cpu.step(mine))


def test_an_image_that_was_given_stays_as_it_is(generators):
    on_gpu, _ = generators
    first = on_gpu.step(conditionings(6, 1)[0])
    kept = first.copy()
    for conditioning in conditionings(7, 5):
        on_gpu.step(conditioning)
    assert np.array_equal(first, kept)


def test_a_twin_that_the_gpu_has_no_memory_for(generators, monkeypatch):
    on_gpu, _ = generators
    monkeypatch.setattr(pretend_gpu.Engine, "create_execution_context", lambda self: None)  # TensorRT's way to say so
    with pytest.raises(UserError, match="too little free memory"):
        on_gpu.clone()
