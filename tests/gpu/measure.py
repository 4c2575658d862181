"""Parity and timings on a GPU, printed as a Markdown page. ``run.sh`` starts it."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from gpu.figures import WARM_UP, attempt, decibel, faces, keep, row, timed

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.morphable import MorphableModel
from face.target import read_info, write_onnx
from live.generators.tensorrt import TensorRtGenerator
from live.renderers.cuda_launcher import CudaConditioning
from live.target_loading import load_target
from offline.rollout import onnx_network, roll_out
from trt_engines.engines import engine_for
from trt_engines.gpu import Gpu
from trt_engines.graph import Precision
from trt_engines.library import tensorrt

DEMO = Path("trt_engines/demo.onnx")
PARITY_FRAMES = 100
STREAM_S = 10
PACED_S = 4
PAPER_GFLOP = {256: 168, 512: 4 * 168}


def renderer(model: MorphableModel, size: int, gpu: Gpu, frames: int, images: Path | None) -> None:
    """Parity with the CPU's renderer, and time."""
    drawn, moving = CudaConditioning(model, size, gpu), faces(model, size, PARITY_FRAMES)
    reference = CpuConditioning(model, size)
    here = [np.asarray(drawn.render(p)) for p in moving]
    there = [reference.render(p) for p in moving]
    equal = [(a == b).all(2).mean() for a, b in zip(here, there, strict=True)]
    row(f"NMFC and gaze, {size}²: least share of pixels that equal the CPU's, {PARITY_FRAMES} faces",
        f"{min(equal):.5f} | ")  # fmt: skip
    row(f"NMFC and gaze, {size}²: ms", timed(lambda k: drawn.render(moving[k % PARITY_FRAMES]), frames))
    shown = range(0, PARITY_FRAMES, PARITY_FRAMES // 4)
    keep(images, f"nmfc_{size}", [[side[k][..., c] for k in shown for c in (slice(3), slice(3, 6))]
                                    for side in (here, there)])  # fmt: skip


def generator(name: str, path: Path, model: MorphableModel, gpu: Gpu, frames: int, images: Path | None) -> None:
    """Parity with ONNX Runtime over a roll-out, and time, alone and with drawing."""
    info = read_info(path, model.hash)
    made = TensorRtGenerator(engine_for(path, info, gpu.capability, Precision.FP16), Gpu())
    moving, reference = faces(model, info.size, PARITY_FRAMES), CpuConditioning(model, info.size)
    conditionings = [reference.render(p) for p in moving]
    compared = conditionings[: PARITY_FRAMES if info.size == 256 else PARITY_FRAMES // 10]  # it takes the CPU long
    there = list(roll_out(onnx_network(path), compared))
    here = [made.step(c) for c in compared]
    row(f"{name}: PSNR against ONNX Runtime, {len(compared)} frames, dB", f"{decibel(here, there):.1f} | ")
    from_its_past = steps_from(there, compared, made)
    row(f"{name}: the same, each step from ONNX Runtime's past, dB", f"{decibel(from_its_past, there):.1f} | ")
    keep(
        images,
        name.replace(", ", "_").rstrip("²"),
        [side[:: len(compared) // 5] for side in (here, from_its_past, there)],
    )
    row(f"{name}: step, image from host to host, ms",
        timed(lambda k: made.step(conditionings[k % PARITY_FRAMES]), frames))  # fmt: skip
    drawn = CudaConditioning(model, info.size, gpu)
    row(f"{name}: parameters up, draw, step, image down, ms",
        timed(lambda k: made.step(drawn.render(moving[k % PARITY_FRAMES])), frames))  # fmt: skip


def steps_from(past: list[np.ndarray], conditionings: list[np.ndarray], made: TensorRtGenerator) -> list[np.ndarray]:
    """Images that each follow on others than the generator's own.

    A network with random weights is chaotic: one level of one pixel, and it is 18 dB from itself ten frames later, in
    whatever precision.
    """
    made.reset()
    images = []
    for k, conditioning in enumerate(conditionings):
        images.append(made.step(conditioning))
        latest = made._outputs[(made._steps - 1) % len(made._outputs)]
        latest.copy_from(made._gpu.upload(past[k]), stream=made._gpu.stream)
        made._gpu.stream.sync()
    return images


def matrix_rate() -> float:
    """What the GPU's matrix units reach in fp16, TFLOP/s: 8192³, on random numbers."""
    import torch

    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
    for _ in range(3):
        a @ b
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(10):
        a @ b
    end.record()
    torch.cuda.synchronize()
    return 10 * 2 * 8192**3 / begin.elapsed_time(end) / 1e9


def pytorch(name: str, network: object, size: int, frames: int) -> None:
    """The same network by PyTorch, eager, in fp16: what TensorRT is compared with, and where a step's time goes."""
    import torch

    from offline.networks.exported_step import ExportedStep

    step = ExportedStep(network).eval().cuda().half()  # type: ignore[arg-type]
    inputs = [torch.randint(0, 255, (size, size, c), dtype=torch.uint8, device="cuda") for c in (6, 6, 6, 3, 3)]
    torch.backends.cudnn.benchmark = True

    def run(_: int) -> None:
        with torch.no_grad(), torch.autocast("cuda", torch.float16):
            step(*inputs)
        torch.cuda.synchronize()

    row(f"{name}: PyTorch eager, fp16, ms", timed(run, frames))


def kernels(name: str, path: Path, size: int) -> str:
    """Where a step's time on the GPU goes, by PyTorch's profiler, as a table; of the stand-in only."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    library = tensorrt()
    if not hasattr(library.api, "Engine"):
        return ""
    import onnx

    from trt_engines.graph import for_tensorrt

    step = library.api.Engine(for_tensorrt(onnx.load(str(path)), Precision.FP16)).step
    inputs = [torch.randint(0, 255, (size, size, c), dtype=torch.uint8, device="cuda") for c in (6, 6, 6, 3, 3)]
    with torch.inference_mode():
        for _ in range(5):
            step(*inputs)
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            for _ in range(10):
                step(*inputs)
            torch.cuda.synchronize()
    found = sorted(seen.key_averages(), key=lambda e: -e.self_device_time_total)
    total = sum(e.self_device_time_total for e in found) / 10
    lines = [f"\n{name}: {sum(e.count for e in found) // 10} kernels, {total / 1000:.3f} ms on the GPU a step\n",
             "| kernel | µs a step | calls |", "|---|---|---|"]  # fmt: skip
    for e in found[:16]:
        lines.append(f"| `{e.key[:110].replace('|', '/')}` | {e.self_device_time_total / 10:.0f} | {e.count // 10} |")
    return "\n".join(lines)


def live_loop(gpu: Gpu, frames: int) -> None:
    """The whole loop, encoded, fed at 60 fps."""
    from face.threads import compute_on_one_thread
    from live.bench import measure

    compute_on_one_thread()
    found = measure("demo", "demo", frames, 60.0, gpu)
    spent = found["ms"]
    assert isinstance(spent, dict)
    row("live loop fed at 60 fps: frames per second; dropped of fed",
        f"{found['fps']:.1f} | {found['dropped']} of {found['fed']} ")  # fmt: skip
    for stage, figures in spent.items():
        row(f"live loop fed at 60 fps: {stage}, ms", (figures["median"], figures["p95"]))


def stream(images: Path | None) -> None:
    """``run_live.py --target NAME.engine`` as a user starts it, watched by an aiortc peer on loopback."""
    from benchmarks.viewers import join

    async def watch(address: str) -> tuple[float, np.ndarray]:
        connection, first = await join(address)
        await asyncio.wait_for(first, 60)
        begin, before = time.monotonic(), connection.seen
        await asyncio.sleep(STREAM_S)
        rate, last = (connection.seen - before) / (time.monotonic() - begin), connection.last.to_ndarray(format="rgb24")
        await connection.close()
        return rate, last

    with TemporaryDirectory() as folder:
        source = Path(shutil.copy(DEMO, Path(folder) / "demo.onnx"))
        subprocess.run([sys.executable, "-m", "offline.export", str(source), "--engine"], check=True)
        source.unlink()
        engine = str(source.with_suffix(".engine"))
        command = ["run_live.py", "--target", engine, "--device", "cuda", "--source", "demo", "--port", "0"]
        served = subprocess.Popen([sys.executable, "-u", *command], stdout=subprocess.PIPE, text=True)
        try:
            assert served.stdout is not None
            address = next(line for line in served.stdout if line.startswith("open ")).split()[1]
            rate, last = asyncio.run(watch(address))
        finally:
            served.terminate()
            served.communicate(timeout=30)
    row("run_live.py --target demo.engine: images per second at an aiortc peer", f"{rate:.1f} | ")
    keep(images, "streamed", [[last]])


def memory(gpu: Gpu) -> None:
    """What the demo takes of the GPU's memory, by the figure of /metrics, and what is said when none is left."""
    import torch

    torch.cuda.init()
    before = gpu.memory_in_use()
    loaded = load_target(DEMO, MorphableModel.load(), gpu)
    row("demo: GPU memory, MiB", f"{(gpu.memory_in_use() - before) / 2**20:.0f} | ")
    del loaded
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(free - (64 << 20), dtype=torch.uint8, device="cuda")
    try:
        with gpu.working():
            gpu.allocate(1 << 30)
        said = "nothing: it was granted"
    except UserError as error:
        said = str(error)
    finally:
        del held
        torch.cuda.empty_cache()
    row("1 GiB asked for where 64 MiB are free: what is said", f"{said} | ")


def paper(model: MorphableModel, gpu: Gpu, frames: int, images: Path | None, checkpoint: Path | None) -> None:
    """The paper's network beside PyTorch and beside what the arithmetic alone would take."""
    import torch

    from offline.export.onnx_step import export_onnx
    from offline.networks.paper_generator import PaperGenerator

    spent: list[str] = []
    rate = matrix_rate()
    row("fp16 matrix products, TFLOP/s", f"{rate:.0f} | ")
    for size in (256, 512):
        name = f"paper, {size}², {'trained' if checkpoint else 'random weights'}"
        row(f"{name}: floor, {PAPER_GFLOP[size]} GFLOP at that rate, ms", f"{PAPER_GFLOP[size] / rate:.3f} | ")
        torch.manual_seed(0)
        network = PaperGenerator(size)
        if checkpoint:  # nothing in it depends on the size
            network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
        with TemporaryDirectory() as folder, attempt(name):
            path = Path(folder) / "paper.onnx"
            info = replace(read_info(DEMO, model.hash), name="paper", size=size)
            write_onnx(path, export_onnx(network, size), info)
            generator(name, path, model, gpu, frames, images)
            pytorch(name, network, size, frames)
            spent.append(kernels(name, path, size))
            if size == 256:
                streams(name, path, model, gpu)
    print("\n".join(spent), flush=True)


def streams(name: str, path: Path, model: MorphableModel, gpu: Gpu) -> None:
    """How many loops of drawing and generating one GPU holds at 30 frames a second, each in a thread of its own."""
    info = read_info(path, model.hash)
    first = TensorRtGenerator(engine_for(path, info, gpu.capability, Precision.FP16), Gpu())
    moving = faces(model, info.size, PARITY_FRAMES)

    def run(made: TensorRtGenerator, drawn: CudaConditioning, rates: list[float]) -> None:
        for k in range(10):
            made.step(drawn.render(moving[k]))
        begin = time.monotonic()
        for k in range(30 * PACED_S):
            time.sleep(max(0.0, begin + k / 30 - time.monotonic()))
            made.step(drawn.render(moving[k % PARITY_FRAMES]))
        rates.append(30 * PACED_S / (time.monotonic() - begin))

    for count in (8, 16, 24):
        rates: list[float] = []
        threads = [
            threading.Thread(target=run, args=(first.clone(), CudaConditioning(model, info.size, Gpu()), rates))
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        row(f"{name}: {count} loops fed at 30 fps, slowest and fastest, fps", f"{min(rates):.1f} | {max(rates):.1f}")


def compact(model: MorphableModel, gpu: Gpu, frames: int, images: Path | None) -> None:
    """The compact generator: the demo's, and one of 512² with random weights."""
    import torch

    from offline.export.onnx_step import export_onnx
    from offline.networks.compact_generator import CompactGenerator

    generator("demo, 256²", DEMO, model, gpu, frames, images)
    torch.manual_seed(0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        info = replace(read_info(DEMO, model.hash), name="large", size=512)
        write_onnx(path, export_onnx(CompactGenerator(512), 512), info)
        generator("compact, 512², random weights", path, model, gpu, frames, images)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument(
        "--only", default="renderer,compact,memory,loop,stream,paper", help="parts, with commas between"
    )
    parser.add_argument("--images", type=Path, help="where to keep images to look at")
    parser.add_argument("--checkpoint", type=Path, help="weights of the paper's network (default: random)")
    arguments = parser.parse_args()
    frames, images, only = arguments.frames, arguments.images, arguments.only.split(",")
    gpu, library, model = Gpu(), tensorrt(), MorphableModel.load()
    print(
        f"# {gpu.name}\n\nCompute capability {gpu.capability[0]}.{gpu.capability[1]}, {library.name} "
        f"{library.version}; medians of {frames} frames after {WARM_UP}.\n\n| what | median | p95 |\n|---|---|---|"
    )
    parts: dict[str, Callable[[], None]] = {
        "renderer": lambda: [renderer(model, size, gpu, frames, images) for size in (256, 512)],
        "compact": lambda: compact(model, gpu, frames, images),
        "memory": lambda: memory(gpu),
        "loop": lambda: live_loop(gpu, frames),
        "stream": lambda: stream(images),
        "paper": lambda: paper(model, gpu, frames, images, arguments.checkpoint),
    }
    for name in only:
        with attempt(name):
            parts[name]()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from None
