"""A GPU that exists only on paper: buffers are arrays, a stream runs at once, a graph is a list of recorded calls.

It lets ``TensorRtGenerator`` run where there is no GPU, with ONNX Runtime in TensorRT's place. To read a wrong buffer,
or a graph that was recorded with other addresses than a step needs, shows as another image.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort

import trt_engines.gpu
from face.recurrence import INPUTS

_handles = itertools.count(1)
_memory: dict[int, np.ndarray] = {}


class Buffer:
    def __init__(self, array: np.ndarray) -> None:
        self.handle = next(_handles)
        _memory[self.handle] = array.reshape(-1).view(np.uint8)

    def copy_from(self, source: Buffer, stream: Stream | GraphBuilder) -> None:
        stream.do(lambda: np.copyto(_memory[self.handle], _memory[source.handle]))

    def fill(self, value: int, stream: Stream) -> None:
        stream.do(lambda: _memory[self.handle].fill(value))


class Stream:
    def __init__(self) -> None:
        self.handle = next(_handles)
        by_handle[self.handle] = self

    def do(self, work: Callable[[], None]) -> None:
        work()

    def sync(self) -> None:
        pass

    def create_graph_builder(self) -> GraphBuilder:
        return GraphBuilder()


class GraphBuilder:
    """Records instead of doing."""

    def __init__(self) -> None:
        self.stream = self
        self.handle = next(_handles)
        by_handle[self.handle] = self
        self.recorded: list[Callable[[], None]] = []

    def do(self, work: Callable[[], None]) -> None:
        self.recorded.append(work)

    def begin_building(self, mode: str) -> None:
        assert mode == "relaxed"

    def end_building(self) -> GraphBuilder:
        return self

    def complete(self) -> Graph:
        return Graph(self.recorded)

    def close(self) -> None:
        pass


class Graph:
    launches = 0

    def __init__(self, recorded: list[Callable[[], None]]) -> None:
        self._recorded = recorded

    def launch(self, stream: Stream) -> None:
        Graph.launches += 1
        for work in self._recorded:
            stream.do(work)


by_handle: dict[int, Stream | GraphBuilder] = {}


class Gpu:
    name, capability = "a pretended GPU", (8, 9)

    def __init__(self) -> None:
        self.stream = Stream()
        self.device = SimpleNamespace(set_current=lambda: None)

    working = trt_engines.gpu.Gpu.working

    def allocate(self, size: int) -> Buffer:
        return Buffer(np.full(size, 77, np.uint8))  # what was there before must not matter

    def host_array(self, shape: tuple[int, ...]) -> tuple[np.ndarray, Buffer]:
        array = np.zeros(shape, np.uint8)
        return array, Buffer(array)


class Context:
    """TensorRT's execution context, by ONNX Runtime."""

    def __init__(self, session: ort.InferenceSession, size: int) -> None:
        self._session, self._size = session, size
        self._addresses: dict[str, int] = {}

    def is_stream_capturable(self, handle: int) -> bool:
        return True

    def set_tensor_address(self, name: str, handle: int) -> None:
        self._addresses[name] = handle

    def execute_async_v3(self, handle: int) -> bool:
        addresses = dict(self._addresses)

        def work() -> None:
            shapes = {name: (self._size, self._size, 6 if "conditioning" in name else 3) for name in INPUTS}
            inputs = {name: _memory[addresses[name]].reshape(shape).copy() for name, shape in shapes.items()}
            np.copyto(_memory[addresses["output"]], self._session.run(None, inputs)[0].reshape(-1))

        by_handle[handle].do(work)
        return True


class Engine:
    def __init__(self, session: ort.InferenceSession, size: int) -> None:
        self._session, self._size = session, size

    def create_execution_context(self) -> Context | None:
        return Context(self._session, self._size)
