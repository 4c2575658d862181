"""PyTorch in half precision behind TensorRT's interface, for GPUs that the TensorRT at hand refuses.

With this folder on PYTHONPATH the whole program runs as with TensorRT: it "builds" an engine (the graph itself), and
executes it with the network's module, on the program's own stream, in its own buffers, recorded in its own CUDA graphs.
Figures from it are PyTorch's, not TensorRT's; ``__version__`` says so wherever the program names its library.
"""

from __future__ import annotations

from enum import IntEnum

import onnx
import torch
import torch._inductor.config
from gpu.half_precision import network
from torch import Tensor

from face.recurrence import INPUTS

__version__ = f"10 (stand-in: PyTorch {torch.__version__})"


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 0


class MemoryPoolType(IntEnum):
    WORKSPACE = 0


class IProgressMonitor:
    pass


class Logger:
    INTERNAL_ERROR = 0

    def __init__(self, severity: int) -> None:
        pass


class TimingCache:
    def serialize(self) -> bytes:
        return b""


class Config:
    progress_monitor: IProgressMonitor

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        pass

    def create_timing_cache(self, known: bytes) -> TimingCache:
        return TimingCache()

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> None:
        pass


class Builder:
    def __init__(self, logger: Logger) -> None:
        pass

    def create_network(self, flags: int) -> dict[str, bytes]:
        return {}

    def create_builder_config(self) -> Config:
        return Config()

    def build_serialized_network(self, network: dict[str, bytes], config: Config) -> bytes:
        return network["graph"]


class OnnxParser:
    num_errors = 0

    def __init__(self, network: dict[str, bytes], logger: Logger) -> None:
        self._network = network

    def parse(self, graph: bytes) -> bool:
        self._network["graph"] = graph
        return True


class Runtime:
    def __init__(self, logger: Logger) -> None:
        pass

    def deserialize_cuda_engine(self, plan: bytes) -> Engine:
        return Engine(onnx.load_from_string(plan))


class Engine:
    """The network, compiled: what lies between convolutions is fused, as TensorRT would."""

    def __init__(self, graph: onnx.ModelProto) -> None:
        self.size = graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value
        torch.backends.cudnn.benchmark = True
        # The matrix units want channels last; the compiler goes by them only when told: the last layer is too narrow.
        torch._inductor.config.force_layout_optimization = True
        step = network(graph, self.size).cuda().to(memory_format=torch.channels_last)
        self.step = torch.compile(step, fullgraph=True)
        with torch.inference_mode():  # now: not while a graph is recorded
            self.step(*(torch.zeros(self.get_tensor_shape(name), dtype=torch.uint8, device="cuda") for name in INPUTS))

    def get_tensor_shape(self, name: str) -> tuple[int, int, int]:
        return self.size, self.size, 6 if name.startswith("conditioning") else 3

    def create_execution_context(self) -> Context:
        return Context(self)


class Context:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Of its own: cuDNN's search for the fastest convolution, new in every thread, gives the driver back what lies
        # unused in the common pool, and with it what graphs that were recorded here go on using.
        self._pool = torch.cuda.MemPool()
        self._addresses: dict[str, int] = {}
        self._seen: dict[tuple[str, int], Tensor] = {}  # nothing may be asked of CUDA while a graph is recorded

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        ours, on = torch.cuda.use_mem_pool(self._pool), torch.cuda.stream(torch.cuda.ExternalStream(stream))
        with ours, on, torch.inference_mode():
            made = self._engine.step(*(self._at(name) for name in INPUTS))
            self._at("output").copy_(made)
        return True

    def _at(self, name: str) -> Tensor:
        """The image that lies where a tensor's address points."""
        address = self._addresses[name]
        if (name, address) not in self._seen:
            memory = _Memory(address, self._engine.get_tensor_shape(name))
            self._seen[name, address] = torch.as_tensor(memory, device="cuda")
        return self._seen[name, address]


class _Memory:
    def __init__(self, address: int, shape: tuple[int, int, int]) -> None:
        self.__cuda_array_interface__ = {"data": (address, False), "shape": shape, "typestr": "|u1", "version": 3}
