"""TensorRT engines: built from an ONNX target, kept, and checked against the machine that wants to run them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from tqdm import tqdm

from face.errors import UserError
from face.files import sha256, write_whole
from face.target import TargetInfo, read_info, write_engine
from trt_engines.folders import BUILT
from trt_engines.graph import Precision, for_tensorrt
from trt_engines.library import TensorRt, tensorrt

_WORKSPACE_BYTES = 4 << 30


def made_by(library: TensorRt, capability: tuple[int, int], precision: Precision, network: str) -> dict[str, str]:
    """What an engine depends on, as its header and its place among the built ones hold it."""
    return {
        "engine_library": library.name,
        "engine_version": library.version,
        "compute_capability": f"{capability[0]}.{capability[1]}",
        "precision": precision.value,
        "network": network,
    }


def parse_capability(text: str) -> tuple[int, int]:
    """``8.9`` as ``(8, 9)``.

    Raises:
        UserError: it is no compute capability.
    """
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise UserError(f"'{text}' is no compute capability: give e.g. 8.9 (nvidia-smi --query-gpu=compute_cap).")
    return int(major), int(minor)


def _monitor(api: Any, name: str) -> Any:
    """TensorRT's own count of its steps, as bars."""

    class Monitor(api.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self._bars: dict[str, tqdm] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            if parent is None:
                self._bars[phase] = tqdm(total=steps, desc=f"{name}: {phase}", unit="step", leave=False)

        def phase_finish(self, phase: str) -> None:
            if phase in self._bars:
                self._bars.pop(phase).close()

        def step_complete(self, phase: str, step: int) -> bool:
            if phase in self._bars:
                self._bars[phase].update()
            return True

    return Monitor()


def build_plan(model: onnx.ModelProto, library: TensorRt, name: str, ahead_for: tuple[int, int] | None) -> bytes:
    """TensorRT's plan for a graph from ``for_tensorrt``.

    Args:
        model: the graph.
        library: which TensorRT.
        name: for the progress bar.
        ahead_for: compute capability of a GPU that is not at hand; ``None`` builds for the one that is.

    Raises:
        UserError: TensorRT refuses the graph or cannot build for that GPU.
    """
    api = library.api
    builder = api.Builder(library.logger)
    strongly_typed = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))
    parser = api.OnnxParser(network, library.logger)
    if not parser.parse(model.SerializeToString()):
        reason = str(parser.get_error(0)).splitlines()[0] if parser.num_errors else "no reason given"
        raise UserError(f"{library.name} {library.version} cannot read the network of {name}: {reason}")
    config = builder.create_builder_config()
    monitor = _monitor(api, name)
    config.progress_monitor = monitor
    timing = None
    if library.capabilities:
        _aim(api, config, library, ahead_for)
    elif ahead_for is not None:
        raise UserError(f"{library.name} builds only for the GPU at hand: leave --compute-capability out, or install "
                        "TensorRT for RTX (extra gpu-rtx).")  # fmt: skip
    else:  # which kernels are fastest is measured, and kept between builds
        config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
        known = BUILT / f"timing-{library.version}.cache"
        timing = config.create_timing_cache(known.read_bytes() if known.exists() else b"")
        config.set_timing_cache(timing, False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise UserError(f"{library.name} {library.version} could not build {name} for this GPU: use --device cpu.")
    if timing is not None:
        BUILT.mkdir(parents=True, exist_ok=True)
        write_whole(known, timing.serialize())
    return bytes(plan)


def _aim(api: Any, config: Any, library: TensorRt, ahead_for: tuple[int, int] | None) -> None:
    if ahead_for is None:
        capability = api.ComputeCapability.CURRENT
    else:
        capability = getattr(api.ComputeCapability, f"SM{ahead_for[0]}{ahead_for[1]}", None)
        if capability is None:
            known = ", ".join(f"{major}.{minor}" for major, minor in library.capabilities)
            raise UserError(
                f"{library.name} {library.version} does not build ahead of time for compute capability "
                f"{ahead_for[0]}.{ahead_for[1]}: choose one of {known}."
            )
    config.num_compute_capabilities = 1
    config.set_compute_capability(capability, 0)


def build_engine(
    source: Path, info: TargetInfo, out: Path, precision: Precision, capability: tuple[int, int], at_hand: bool
) -> None:
    """Write the engine of an ONNX target, atomically; its header says what built it.

    Args:
        source: the ONNX target.
        info: its description.
        out: the engine.
        precision: of the features.
        capability: of the GPU it is for.
        at_hand: whether that GPU is in this machine.

    Raises:
        UserError: it cannot be built.
    """
    library = tensorrt()
    graph = for_tensorrt(onnx.load(str(source)), precision)
    plan = build_plan(graph, library, out.name, None if at_hand else capability)
    versions = info.versions | made_by(library, capability, precision, sha256(source))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_engine(out, plan, replace(info, versions=versions, other_sizes=[]))


def engine_for(source: Path, info: TargetInfo, capability: tuple[int, int], precision: Precision) -> Path:
    """The engine of an ONNX target for the GPU at hand: built now, unless it was before."""
    made = made_by(tensorrt(), capability, precision, sha256(source))
    key = hashlib.sha256("\n".join(f"{k}={v}" for k, v in sorted(made.items())).encode()).hexdigest()[:16]
    path = BUILT / f"{info.name}-{key}.engine"
    if not path.exists():
        print(f"Building the TensorRT engine of {source.name} for this GPU; the next start finds it in {BUILT}.")
        build_engine(source, info, path, precision, capability, at_hand=True)
    return path


def why_not(info: TargetInfo, capability: tuple[int, int]) -> str | None:
    """Why an engine cannot run on a GPU of some compute capability with the TensorRT that is installed."""
    library, made = tensorrt(), info.versions
    builder = (made.get("engine_library", "an unknown TensorRT"), made.get("engine_version", "?"))
    if builder != (library.name, library.version):
        return f"it was built by {' '.join(builder)}, and here is {library.name} {library.version}"
    here = f"{capability[0]}.{capability[1]}"
    if made.get("compute_capability") != here:
        return f"it was built for a GPU of compute capability {made.get('compute_capability', '?')}, and here is {here}"
    return None


def runnable(path: Path, info: TargetInfo, capability: tuple[int, int], precision: Precision) -> Path:
    """An engine that runs here for a target file.

    That is the engine given, or the one beside the ONNX target given; where it does not fit, one that is built from
    the ONNX target, which is said in a sentence.

    Args:
        path: an ONNX target or an engine.
        info: its description.
        capability: of the GPU at hand.
        precision: of an engine that is built now.

    Raises:
        UserError: it is an engine for another machine, and there is no ONNX target of that name to build from.
    """
    engine, source = path.with_suffix(".engine"), path.with_suffix(".onnx")
    if not engine.exists():
        return engine_for(path, info, capability, precision)
    reason = _why_not_this(engine, source if path == source else None, info, capability)
    if reason is None:
        return engine
    if not source.exists():
        raise UserError(f"The engine {engine} cannot run here: {reason}; build it anew from the ONNX target with "
                        "python -m offline.export NAME.onnx --engine.")  # fmt: skip
    print(f"The engine {engine} cannot run here: {reason}; {source.name} is used instead.")
    return engine_for(source, read_info(source, info.model_hash), capability, precision)


def _why_not_this(engine: Path, source: Path | None, info: TargetInfo, capability: tuple[int, int]) -> str | None:
    """Why an engine file cannot run here, or cannot stand for the ONNX target ``source``."""
    try:
        own = read_info(engine, info.model_hash)
    except UserError as error:
        return str(error).rstrip(".")
    if source is not None and own.versions.get("network") != sha256(source):
        return f"it was built from another {source.name}"
    return why_not(own, capability)
