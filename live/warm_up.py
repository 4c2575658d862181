"""One frame's way through the loop before anyone watches."""

from __future__ import annotations

import threading
from collections.abc import Callable

from live.frames import Generated
from live.pipeline import Pipeline
from live.sources.open import open_source
from live.streaming.media.codecs import yuv_frame

_STAGES = 4  # track, fit, render, generate


def warm_up(pipeline: Pipeline, ended: threading.Event, tell: Callable[[float], None] = lambda _: None) -> None:
    """Have everything compiled and loaded that a picture needs, with a face of the demo clip; may take half a minute.

    Kernels are compiled for the processor when they are first called, and kept (numba): on a machine's first start the
    first frame would take that long, and all that came meanwhile be dropped. The pipeline itself is left as it was.

    Args:
        pipeline: the loop that is to play.
        ended: set when it no longer is.
        tell: called with the progress, 0…1, from time to time.

    Raises:
        UserError, StageError: a stage failed.
    """
    made = threading.Event()

    def check(generated: Generated) -> None:
        yuv_frame(generated.image)
        made.set()

    source = open_source("demo", paced=False, loop=False)
    one = Pipeline(pipeline.model, pipeline.loaded.clone(), source, drop=False, alone=False)
    one.sinks.append(check)
    one.on_end = made.set
    one.start()
    while not (made.wait(0.1) or ended.is_set()):
        tell(len(one.metrics.percentiles()) / _STAGES)
    one.stop()
    if one.error is not None:
        raise one.error
