"""Opens a target file for the device that it is to run on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from face.target import TargetInfo, read_info
from live.generators.cpu_int8 import open_on_cpu
from live.loaded_target import LoadedTarget
from trt_engines.engines import runnable
from trt_engines.gpu import Gpu
from trt_engines.graph import Precision


def load_target(path: Path, model: MorphableModel, gpu: Gpu | None = None, size: int | None = None) -> LoadedTarget:
    """Open a target file.

    Args:
        path: an ONNX target or an engine.
        model: the morphable model in use.
        gpu: where it is to run; ``None`` for the CPU.
        size: of the images, px, one of ``sizes_on``; by default the target's largest.

    Raises:
        UserError: it is no target of this program, cannot be shown at that size, or needs what this machine lacks.
    """
    info = read_description(path, model)
    if gpu is None and path.suffix == ".engine":
        source = path.with_suffix(".onnx")
        if not source.exists():
            raise UserError(f"{path} is a TensorRT engine, which needs an NVIDIA GPU: give the .onnx target instead.")
        print(f"The engine {path} needs an NVIDIA GPU: {source.name} is used instead.")
        return load_target(source, model, size=size)
    sizes, largest = sizes_on(info, gpu), info.size
    if size is not None and size not in sizes:
        raise UserError(f"The target {path} makes images of {listed(sizes)} px, not of {size}.")
    info = info.at(size or largest)
    if gpu is None:
        loaded = _on_cpu(path, info, model, None if info.size == largest else info.size)
    else:
        loaded = _on_gpu(path, info, model, gpu)
    made = loaded.generator.size
    if made != info.size:
        raise UserError(
            f"The target {path} is damaged (its network makes images of {made} px, not {info.size}): export it again."
        )
    return loaded


def sizes_on(info: TargetInfo, gpu: Gpu | None) -> list[int]:
    """The sizes in px, smallest first, that a target can be shown at; a GPU is fast enough for the largest."""
    return info.sizes if gpu is None else [info.size]


def nearest_size(info: TargetInfo, gpu: Gpu | None, size: int) -> int:
    """The size in px, of those that a target can be shown at, nearest to one that is asked for."""
    return min(sizes_on(info, gpu), key=lambda one: abs(one - size))


def listed(sizes: list[int]) -> str:
    """Sizes in words."""
    return " or ".join(map(str, sizes))


def _on_cpu(path: Path, info: TargetInfo, model: MorphableModel, other_size: int | None) -> LoadedTarget:
    renderer = CpuConditioning(model, info.size, TeethPlacement.of(info.teeth))
    return LoadedTarget(info, renderer, open_on_cpu(path, other_size))


def _on_gpu(path: Path, info: TargetInfo, model: MorphableModel, gpu: Gpu) -> LoadedTarget:
    from live.generators.tensorrt import TensorRtGenerator
    from live.renderers.cuda_launcher import CudaConditioning

    engine = runnable(path, info, gpu.capability, Precision.FP16)
    renderer = CudaConditioning(model, info.size, gpu, TeethPlacement.of(info.teeth))
    return LoadedTarget(info, renderer, TensorRtGenerator(engine, Gpu()))


def read_description(path: Path, model: MorphableModel) -> TargetInfo:
    """A target's description under the name that it is asked for by, its file's: a copy is a target of its own.

    Raises:
        UserError: as ``face.target.read_info``.
    """
    return replace(read_info(path, model.hash), name=path.name.split(".")[0])
