"""Engines, built by the real TensorRT for RTX without a GPU: what is in them, and what is said when they cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import onnx
import pretend_gpu
import pytest
import torch
from conftest import DEMO_TARGET, REPOSITORY

from face.errors import UserError
from face.files import sha256
from face.target import read_info, read_plan, write_engine, write_onnx
from live.device import Device, choose
from offline.export.onnx_step import export_onnx
from offline.networks.paper_generator import PaperGenerator
from trt_engines import engines
from trt_engines.engines import build_engine, build_plan, parse_capability, runnable, why_not
from trt_engines.graph import Precision, for_tensorrt
from trt_engines.library import TensorRt, tensorrt

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library() -> TensorRt:
    pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed (extra gpu-rtx)")
    return tensorrt()


@pytest.fixture
def target(network, module_target, tmp_path):
    path = tmp_path / "small.onnx"
    write_onnx(path, network, module_target)
    return path


@pytest.fixture
def has_gpu() -> bool:
    return choose(Device.AUTO)[0] is not None


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (8, 9), (12, 0)])
def test_the_demo_target_is_built_for_other_gpus(library, model, tmp_path, capability):
    info, out = read_info(DEMO_TARGET, model.hash), tmp_path / "demo.engine"
    build_engine(DEMO_TARGET, info, out, Precision.FP16, capability, at_hand=False)
    made = read_info(out, model.hash)
    assert made.title == info.title and len(read_plan(out)) > 1e6
    assert made.versions["compute_capability"] == f"{capability[0]}.{capability[1]}"
    assert made.versions["precision"] == "fp16" and made.versions["network"] == sha256(DEMO_TARGET)
    assert why_not(made, capability) is None
    assert str(why_not(made, (9, 0))).endswith("and here is 9.0")
    assert os.listdir(tmp_path) == ["demo.engine"]


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP32])
def test_other_precisions_are_built(library, network, precision):
    assert build_plan(for_tensorrt(network, precision), library, "small", (8, 9))


def test_the_papers_network_is_built(library):
    torch.manual_seed(0)
    graph = for_tensorrt(export_onnx(PaperGenerator(256), 256), Precision.FP16)
    assert 130e6 < graph.ByteSize() < 160e6  # 70.8 M weights of 16 bits
    assert len(build_plan(graph, library, "paper", (8, 9))) > 100e6


def test_a_gpu_that_it_cannot_build_for_is_named_with_those_it_can(library, network):
    with pytest.raises(UserError, match=r"9\.0: choose one of 7\.5, 8\.0"):
        build_plan(for_tensorrt(network, Precision.FP16), library, "small", (9, 0))


def test_a_network_that_it_cannot_read_is_one_sentence(library, network):
    with pytest.raises(UserError, match="cannot read the network of small: .*UINT8"):
        build_plan(network, library, "small", (8, 9))


@pytest.mark.parametrize("text", ["", "8", "8.", "x.y", "8.9.1"])
def test_capabilities_are_two_numbers(text):
    with pytest.raises(UserError, match="give e.g. 8.9"):
        parse_capability(text)


def test_an_engine_for_another_machine_says_why_and_gives_way_to_the_onnx_target(
    library, model, target, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(engines, "BUILT", tmp_path / "built")
    info, engine = read_info(target, model.hash), target.with_suffix(".engine")
    build_engine(target, info, engine, Precision.FP16, (8, 6), at_hand=False)
    assert runnable(engine, read_info(engine, model.hash), (8, 6), Precision.FP16) == engine
    # Here no GPU is at hand, so that what is built "for this one" is built for the one that is pretended.
    real = engines.build_engine
    monkeypatch.setattr(engines, "build_engine", lambda *a, at_hand: real(*a, at_hand=False))
    built = runnable(engine, read_info(engine, model.hash), (8, 9), Precision.FP16)
    assert built.parent == tmp_path / "built" and "small.onnx is used instead" in capsys.readouterr().out
    first = built.stat().st_mtime_ns
    assert runnable(target, info, (8, 9), Precision.FP16) == built
    assert built.stat().st_mtime_ns == first and "Building" not in capsys.readouterr().out
    assert runnable(target, info, (8, 9), Precision.FP32) != built
    capsys.readouterr()
    # Given the ONNX target, the engine beside it is used where it fits and was built from that very file.
    assert runnable(target, info, (8, 6), Precision.FP16) == engine and not capsys.readouterr().out
    write_onnx(target, onnx.load(str(target)), replace(info, title="Trained anew"))
    assert runnable(target, info, (8, 6), Precision.FP16) != engine
    assert "it was built from another small.onnx; small.onnx is used instead" in capsys.readouterr().out
    target.unlink()
    with pytest.raises(UserError, match="built for a GPU of compute capability 8.6, and here is 8.9; build it anew"):
        runnable(engine, read_info(engine, model.hash), (8, 9), Precision.FP16)


def test_an_engine_of_another_version_is_refused(library, model, module_target, tmp_path):
    old = {"engine_library": library.name, "engine_version": "1.0", "compute_capability": "8.9"}
    path = tmp_path / "old.engine"
    write_engine(path, b"plan", module_target.__class__(**{**vars(module_target), "versions": old}))
    with pytest.raises(UserError, match=f"built by {library.name} 1.0, and here is {library.name}"):
        runnable(path, read_info(path, model.hash), (8, 9), Precision.FP16)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=REPOSITORY, capture_output=True, text=True)


def test_the_export_command(library, target, model):
    done = command("-m", "offline.export", str(target), "--engine", "--compute-capability", "12.0")
    assert done.returncode == 0, done.stderr
    assert read_info(target.with_suffix(".engine"), model.hash).versions["compute_capability"] == "12.0"
    wrong = command("-m", "offline.export", str(target), "--engine", "--compute-capability", "9.0")
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1 and "choose one of" in wrong.stderr


@pytest.mark.parametrize(("capability", "runs"), [((7, 5), True), ((8, 9), True), ((9, 0), False), ((12, 0), True)])
def test_a_gpu_that_tensorrt_does_not_run_on_is_known_beforehand(library, monkeypatch, capability, runs):
    # Seen on an H200: TensorRT for RTX builds an engine for the GPU at hand without a word, and refuses to load it.
    class Hopper(pretend_gpu.Gpu):
        name = "NVIDIA H200"

    Hopper.capability = capability
    monkeypatch.setattr("trt_engines.library.Gpu", Hopper)
    gpu, sentence = choose(Device.AUTO)
    assert (gpu is not None) == runs
    assert runs or "does not run on NVIDIA H200 (compute capability 9.0): install TensorRT proper" in sentence


def test_without_a_gpu_it_is_said_and_the_cpu_used(has_gpu):
    if has_gpu:
        pytest.skip("there is a GPU")
    gpu, sentence = choose(Device.AUTO)
    assert gpu is None and sentence.startswith("Renderer and generator run on the CPU. ")
    with pytest.raises(UserError, match="--device cpu"):
        choose(Device.CUDA)
    asked = command("run_live.py", "--device", "cuda", "--no-server", "--frames", "1")
    assert asked.returncode == 1 and asked.stderr.count("\n") == 1 and "--device cpu" in asked.stderr
