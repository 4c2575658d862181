"""The live command: parts from options, run, stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from face.conditioning import CpuConditioning
from face.errors import FaceError
from face.morphable import MorphableModel
from face.retarget import Mode
from face.target import find_target, read_info
from live.frames import Generated
from live.generators.onnx import OnnxGenerator
from live.pipeline import Pipeline
from live.recorder import Recorder
from live.sources import open_source
from live.streaming.server import build_app

TARGETS = Path(__file__).parents[1] / "trt_engines"


def build_pipeline(target: str, source: str, size: int | None = None, live: bool = True) -> tuple[Pipeline, Path]:
    """Loop for a target and a source named as on the command line, and the target's file.

    Raises:
        FaceError: either cannot be opened, or the target is of another size.
    """
    model = MorphableModel.load()
    path = find_target(target, TARGETS)
    info = read_info(path, model.hash)
    if path.suffix == ".engine":
        raise FaceError(f"{path} is a TensorRT engine, which needs an NVIDIA GPU: give the .onnx target instead.")
    if size not in (None, info.size):
        raise FaceError(f"The target {path} makes pictures of {info.size} px: leave --size out or train it anew.")
    opened = open_source(source, paced=live, loop=live)
    generator = OnnxGenerator(path)
    return Pipeline(model, info, CpuConditioning(model, info.size), generator, opened, drop=live), path


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        FaceError: the address is taken or not ours.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # from now on nobody else can have the port
    except OSError as error:
        bound.close()
        raise FaceError(f"Cannot serve on {host}:{port} ({error.strerror}): choose another with --port.") from None
    return bound


class Stopper:
    """Sets an event after some pictures."""

    def __init__(self, frames: int | None, enough: threading.Event) -> None:
        self._left, self._enough = frames, enough

    def put(self, _: Generated) -> None:
        """Count a picture."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._enough.set()


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again once it has stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


async def _serve(pipeline: Pipeline, bound: socket.socket, ended: threading.Event) -> None:
    """Serve until the loop has ended."""
    config = uvicorn.Config(
        build_app(pipeline, pipeline.target), log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=2
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    waiting = asyncio.create_task(asyncio.to_thread(ended.wait))
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    ended.set()
    await serving
    await waiting


def run(arguments: argparse.Namespace) -> None:
    """Run the live loop until it ends.

    Raises:
        FaceError: something the user can mend; see its text.
    """
    bound = None if arguments.no_server else listen(arguments.host, arguments.port)
    recorder = None
    try:
        pipeline, path = build_pipeline(arguments.target, arguments.source, arguments.size)
        pipeline.update(mode=Mode(arguments.mode))
        if arguments.output:
            recorder = Recorder(arguments.output)
            pipeline.sinks.append(recorder.put)
        ended = threading.Event()
        pipeline.on_end = ended.set
        pipeline.sinks.append(Stopper(arguments.frames, ended).put)
        print(f"target: {pipeline.target.title} ({path.name})")
        print(f"generator: {pipeline.generator.description}; NMFC: numba on the CPU")
        print(f"source: {pipeline.source.name}")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        pipeline.start()
        if bound is None:
            ended.wait()
        else:
            host = "localhost" if arguments.host == "127.0.0.1" else arguments.host
            print(f"open http://{host}:{bound.getsockname()[1]}", flush=True)
            asyncio.run(_serve(pipeline, bound, ended))
        pipeline.stop()
        if pipeline.error is not None:
            raise pipeline.error
    finally:
        if bound is not None:
            bound.close()
        if recorder is not None:
            recorder.close()
