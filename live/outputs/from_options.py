"""Opens the outputs that the live command was asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

from live.options import Options
from live.outputs.steady import SteadyOutput
from live.outputs.virtual_camera import VirtualCamera
from live.outputs.y4m import Y4mWriter
from live.pipeline import Pipeline
from live.recording.output_file import OutputFile

STDOUT = Path("-")


def open_file(options: Options, closing: contextlib.ExitStack) -> OutputFile | None:
    """The file to record to, taken before anything is loaded; ``None`` for none. ``-`` claims standard output.

    Raises:
        UserError: it cannot be written.
    """
    if options.output is None:
        return None
    if options.output == STDOUT:
        closing.enter_context(contextlib.redirect_stdout(sys.stderr))  # frames only
        return None
    file = OutputFile(options.output, options.overwrite)
    closing.callback(file.close)
    return file


def attach(options: Options, pipeline: Pipeline, ended: threading.Event, closing: contextlib.ExitStack) -> None:
    """Send a loop's frames to standard output and a virtual camera, if so asked.

    Raises:
        UserError: there is no virtual camera.
    """
    if options.output == STDOUT:
        stream = closing.enter_context(os.fdopen(os.dup(1), "wb", buffering=0))
        _attach(pipeline, SteadyOutput(Y4mWriter(stream).write, lambda _: ended.set()), closing)
    if options.virtual_camera:
        camera = VirtualCamera(pipeline.target.size)
        closing.callback(camera.close)
        print(f"virtual camera: {camera.device}")
        _attach(pipeline, SteadyOutput(camera.write, lambda error: pipeline.fail("virtual camera", error)), closing)


def _attach(pipeline: Pipeline, output: SteadyOutput, closing: contextlib.ExitStack) -> None:
    closing.callback(output.close)
    pipeline.sinks.append(output.put)
