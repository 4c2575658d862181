"""Parity and timings on a GPU, printed as a Markdown page. ``run.sh`` starts it."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort

from face.conditioning import CpuConditioning
from face.errors import FaceError
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.target import read_info, write_onnx
from live.generators.tensorrt import TensorRtGenerator
from live.renderers.cuda import CudaConditioning
from offline.motion import natural_motion
from offline.people import Person, act
from trt_engines.engines import engine_for
from trt_engines.gpu import Gpu
from trt_engines.graph import Precision
from trt_engines.library import tensorrt

DEMO = Path("trt_engines/demo.onnx")
WARM_UP, PARITY_FRAMES = 50, 100


def timed(work: Callable[[int], object], frames: int) -> tuple[float, float]:
    """Median and 95th percentile of a call's time in ms, after a warm-up."""
    spent = []
    for k in range(frames + WARM_UP):
        begin = time.perf_counter()
        work(k)
        spent.append((time.perf_counter() - begin) * 1000)
    spent = sorted(spent[WARM_UP:])
    return statistics.median(spent), spent[int(len(spent) * 0.95)]


def row(name: str, figures: tuple[float, float] | str) -> None:
    print(f"| {name} | " + (figures if isinstance(figures, str) else f"{figures[0]:.3f} | {figures[1]:.3f}") + " |")


def faces(model: MorphableModel, size: int, count: int) -> list[FaceParameters]:
    return act(Person(model, 4), natural_motion(count, 4), size)


def renderer(model: MorphableModel, size: int, gpu: Gpu, frames: int) -> None:
    """Parity with the CPU's renderer, and time."""
    drawn, moving = CudaConditioning(model, size, gpu), faces(model, size, 100)
    reference = CpuConditioning(model, size)
    equal = [(np.asarray(drawn.render(p)) == reference.render(p)).all(2).mean() for p in moving]
    row(f"NMFC and gaze, {size}²: least share of equal pixels", f"{min(equal):.5f} | ")
    row(f"NMFC and gaze, {size}²: ms", timed(lambda k: drawn.render(moving[k % 100]), frames))


def generator(name: str, path: Path, model: MorphableModel, gpu: Gpu, frames: int) -> None:
    """Parity with ONNX Runtime over a roll-out, and time, alone and with drawing."""
    info = read_info(path, model.hash)
    try:
        made = TensorRtGenerator(engine_for(path, info, gpu.capability, Precision.FP16), Gpu())
    except FaceError as error:
        row(f"{name}: TensorRT", f"refused: {error} | ")
        return
    from offline.export import roll_out

    moving = faces(model, info.size, PARITY_FRAMES)
    reference = CpuConditioning(model, info.size)
    conditionings = [reference.render(p) for p in moving]
    expected = roll_out(ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]), conditionings)
    errors = [((made.step(c).astype(float) - e) ** 2).mean() for c, e in zip(conditionings, expected, strict=True)]
    row(f"{name}: PSNR against ONNX Runtime, {PARITY_FRAMES} frames, dB",
        f"{10 * np.log10(255**2 / max(np.mean(errors), 1e-9)):.1f} | ")  # fmt: skip
    row(f"{name}: step, ms", timed(lambda k: made.step(conditionings[k % PARITY_FRAMES]), frames))
    drawn = CudaConditioning(model, info.size, gpu)
    row(f"{name}: draw and step, ms", timed(lambda k: made.step(drawn.render(moving[k % PARITY_FRAMES])), frames))


def pytorch(name: str, network: object, size: int, frames: int) -> None:
    """The same network in PyTorch fp16: eager, and under a CUDA graph."""
    import torch

    from offline.step import ExportedStep

    step = ExportedStep(network).eval().cuda()  # type: ignore[arg-type]
    inputs = [torch.zeros(size, size, c, dtype=torch.uint8, device="cuda") for c in (6, 6, 6, 3, 3)]

    def run(*_: object) -> object:
        with torch.no_grad(), torch.autocast("cuda", torch.float16):
            made = step(*inputs)
        torch.cuda.synchronize()
        return made

    row(f"{name}: PyTorch fp16 eager, ms", timed(run, frames))
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.autocast("cuda", torch.float16, cache_enabled=False), torch.cuda.graph(graph):
        step(*inputs)

    def replay(_: int) -> None:
        graph.replay()
        torch.cuda.synchronize()

    row(f"{name}: PyTorch fp16 under a CUDA graph, ms", timed(replay, frames))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    frames = parser.parse_args().frames
    gpu, library, model = Gpu(), tensorrt(), MorphableModel.load()
    print(
        f"# {gpu.name}\n\nCompute capability {gpu.capability[0]}.{gpu.capability[1]}, {library.name} "
        f"{library.version}; medians of {frames} frames after {WARM_UP}.\n\n| what | median | p95 |\n|---|---|---|"
    )
    for size in (256, 512):
        renderer(model, size, gpu, frames)
    generator("demo, 256²", DEMO, model, gpu, frames)
    if importlib.util.find_spec("torch") is None:
        return
    import torch

    from offline.export import export_onnx
    from offline.paper import PaperGenerator

    for size in (256, 512):
        torch.manual_seed(0)
        network = PaperGenerator(size)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "paper.onnx"
            info = read_info(DEMO, model.hash)
            write_onnx(path, export_onnx(network, size), type(info)(**{**vars(info), "name": "paper", "size": size}))
            generator(f"paper, {size}²", path, model, gpu, frames)
        pytorch(f"paper, {size}²", network, size, frames)


if __name__ == "__main__":
    try:
        main()
    except FaceError as error:
        raise SystemExit(str(error)) from None
