"""The generator on an NVIDIA GPU: TensorRT, history in GPU memory, a step as one CUDA graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from face.errors import UserError
from face.recurrence import CONDITIONING_FRAMES, INPUTS, NO_OUTPUT, PREVIOUS_FRAMES
from face.target import read_plan
from live.renderers.cuda_launcher import DeviceConditioning
from trt_engines.gpu import Gpu
from trt_engines.library import tensorrt

_SLOTS = 3  # frames that a step reads or writes: of either kind, the current and two previous
_WARM_UP = 2  # steps before one is captured: TensorRT settles its kernels in the first

assert _SLOTS == CONDITIONING_FRAMES == PREVIOUS_FRAMES + 1


class TensorRtGenerator:
    """Runs a target's engine step by step.

    Conditionings and outputs go round in ring buffers of three. Nothing is copied between steps: each of the three
    turns of the rings has a CUDA graph of its own, captured once, in which the step's buffers are fixed.

    Args:
        path: an engine that runs on this GPU (``trt_engines.engines.runnable``).
        gpu: where.

    Raises:
        UserError: TensorRT refuses the engine, or the GPU has too little memory.
    """

    on_cpu = False

    def __init__(self, path: Path, gpu: Gpu) -> None:
        library = tensorrt()
        self._runtime = library.api.Runtime(library.logger)
        engine = self._runtime.deserialize_cuda_engine(read_plan(path))
        if engine is None:
            raise UserError(f"{library.name} {library.version} refuses the engine {path}: delete it, so that it is "
                            "built anew from the ONNX target.")  # fmt: skip
        self.size = int(engine.get_tensor_shape(INPUTS[0])[0])
        self.description = f"{library.name} {library.version} on {gpu.name}, {path.name}"
        self._engine = engine
        with gpu.working():
            self._prepare(gpu)

    def _prepare(self, gpu: Gpu) -> None:
        """Buffers, context and history of one run."""
        self._gpu = gpu
        pixels = self.size * self.size
        self._context = self._engine.create_execution_context()
        if self._context is None:  # TensorRT says no more than this
            raise MemoryError
        self._conditionings = [gpu.allocate(pixels * 6) for _ in range(_SLOTS)]
        self._outputs = [gpu.allocate(pixels * 3) for _ in range(_SLOTS)]
        self._input, self._input_memory = gpu.host_array((self.size, self.size, 6))
        self._image, self._image_memory = gpu.host_array((self.size, self.size, 3))
        self._graphs: list[Any] = [None] * _SLOTS
        self._steps = 0
        self.reset()

    def reset(self) -> None:
        """Forget previous frames: the next conditioning stands for the earlier ones, gray for the outputs."""
        self._fresh = True

    def clone(self) -> TensorRtGenerator:
        """A generator of the same engine, which is loaded once, with a stream and a state of its own."""
        clone = object.__new__(TensorRtGenerator)
        clone._runtime, clone._engine = self._runtime, self._engine
        clone.size, clone.description = self.size, self.description
        gpu = Gpu()
        with gpu.working():
            clone._prepare(gpu)
        return clone

    def step(self, conditioning: np.ndarray | DeviceConditioning) -> np.ndarray:
        """Next image ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8, on the host or on the GPU."""
        turn = self._steps % _SLOTS
        with self._gpu.working():
            self._take(conditioning, turn)
            if self._graphs[turn] is None and self._steps >= _WARM_UP:
                self._graphs[turn] = self._capture(turn)
            if self._graphs[turn] is not None:
                self._graphs[turn].launch(self._gpu.stream)
            else:
                self._enqueue(turn, self._gpu.stream)
            self._gpu.stream.sync()
        self._steps += 1
        return self._image.copy()

    def _take(self, conditioning: np.ndarray | DeviceConditioning, turn: int) -> None:
        """Bring a conditioning into its slot, and begin anew after a reset."""
        stream = self._gpu.stream
        if isinstance(conditioning, DeviceConditioning):
            source = conditioning.buffer
        else:
            self._input[:] = conditioning
            source = self._input_memory
        slots = self._conditionings if self._fresh else [self._conditionings[turn]]
        for slot in slots:
            slot.copy_from(source, stream=stream)
        if self._fresh:
            for output in self._outputs:
                output.fill(NO_OUTPUT, stream=stream)
            self._fresh = False

    def _enqueue(self, turn: int, stream: Any) -> None:
        """Put a step on a stream: the network, then the image's copy to the host."""
        slots = [self._conditionings[(turn - age) % _SLOTS] for age in range(CONDITIONING_FRAMES)]
        slots += [self._outputs[(turn - age) % _SLOTS] for age in range(1, PREVIOUS_FRAMES + 1)]
        for name, slot in zip(INPUTS, slots, strict=True):
            self._context.set_tensor_address(name, int(slot.handle))
        self._context.set_tensor_address("output", int(self._outputs[turn].handle))
        handle = int(getattr(stream, "stream", stream).handle)
        if not self._context.execute_async_v3(handle):
            raise UserError(f"TensorRT could not run a step on {self._gpu.name}: check nvidia-smi, and start again.")
        self._image_memory.copy_from(self._outputs[turn], stream=stream)

    def _capture(self, turn: int) -> Any:
        """The step as a CUDA graph; ``None`` where TensorRT must not be captured."""
        capturable = getattr(self._context, "is_stream_capturable", None)
        if capturable is not None and not capturable(int(self._gpu.stream.handle)):
            return None
        builder = self._gpu.stream.create_graph_builder()
        # Relaxed: other threads may allocate, and Python may free on this one, during capture.
        builder.begin_building(mode="relaxed")
        self._enqueue(turn, builder)
        graph = builder.end_building().complete()
        builder.close()
        return graph
