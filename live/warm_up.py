"""Some frames' way through the loop before anyone watches."""

from __future__ import annotations

import threading
from collections.abc import Callable

from live.frames import Generated
from live.pipeline import Pipeline
from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.media.rgb_to_yuv import yuv_frame

_STAGES = 4  # track, fit, render, generate
_FRAMES = 2  # filters do nothing before the second


def warm_up(pipeline: Pipeline, ended: threading.Event, tell: Callable[[float], None] = lambda _: None) -> None:
    """Compile and load everything that a frame needs, with a face of the demo clip; may take half a minute.

    Kernels are compiled for the CPU when they are first called, and kept (numba): on a machine's first start the first
    frame would take that long, and all that came meanwhile be dropped. The pipeline itself is left as it was.

    Args:
        pipeline: the loop that is to run.
        ended: set when it no longer is.
        tell: called with the progress, 0…1, from time to time.

    Raises:
        UserError, StageError: a stage failed.
    """
    done, left = threading.Event(), _FRAMES

    def check(generated: Generated) -> None:
        nonlocal left
        yuv_frame(generated.image)
        left -= 1
        if left == 0:
            done.set()

    source = FileSource(DEMO_CLIP, loop=False, paced=False)
    trial = Pipeline(pipeline.model, pipeline.loaded.clone(), source, drop=False, alone=False)
    trial.sinks.append(check)
    trial.on_end = done.set
    trial.start()
    while not (done.wait(0.1) or ended.is_set()):
        tell(len(trial.metrics.percentiles()) / _STAGES)
    trial.stop()
    if trial.error is not None:
        raise trial.error
