"""The size of the images where a target has several: what was asked for, or what this machine is fast enough for."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from face.morphable import MorphableModel
from live.loaded_target import LoadedTarget
from live.target_loading import listed, load_target, nearest_size, read_description, sizes_on
from trt_engines.gpu import Gpu

# A frame has 40 ms at 25 fps; beside rendering and generating, the CPU tracks a face in about 10 and encodes.
_BUDGET_MS = 28.0
_WARM_UP = 3  # frames, the first of which compiles
_MEASURED_S = 1.0


def load_at(path: Path, model: MorphableModel, gpu: Gpu | None, size: int | None) -> LoadedTarget:
    """Open a target at a size.

    Args:
        path: an ONNX target or an engine.
        model: the morphable model in use.
        gpu: where it is to run; ``None`` for the CPU.
        size: px; the nearest is taken, which is said. ``None`` takes the largest at which this machine makes 25 images
            a second, and says so where there are several.

    Raises:
        UserError: as ``load_target``.
    """
    info = read_description(path, model)
    sizes = sizes_on(info, gpu)
    if size is not None:
        nearest = nearest_size(info, gpu, size)
        if nearest != size:
            where = "" if sizes == info.sizes else " on a GPU"
            print(
                f"The target {info.name} has images of {listed(sizes)} px{where}, not of {size}: {nearest} px is used."
            )
        return load_target(path, model, gpu, nearest)
    smallest, *larger = sizes
    for each in reversed(larger):
        loaded = load_target(path, model, gpu, each)
        took_ms = _step_ms(loaded)
        measured = f"an image of {each} px takes {took_ms:.0f} ms here, and 25 a second leave {_BUDGET_MS:.0f}"
        if took_ms <= _BUDGET_MS:
            print(f"size: {each} px ({measured})")
            return loaded
        print(f"size: less than {each} px ({measured}; --size {each} takes it all the same)")
    return load_target(path, model, gpu, smallest)


def _step_ms(loaded: LoadedTarget) -> float:
    """Median time of rendering and generating an image, ms; the loaded target's history is left blank."""
    face, generator = loaded.info.resting(), loaded.generator.clone()
    times: list[float] = []
    end = float("inf")
    while time.perf_counter() < end or len(times) <= _WARM_UP:
        begin = time.perf_counter()
        generator.step(loaded.renderer.render(face))
        times.append(time.perf_counter() - begin)
        if len(times) == _WARM_UP:
            end = time.perf_counter() + _MEASURED_S
    return 1000 * statistics.median(times[_WARM_UP:])
