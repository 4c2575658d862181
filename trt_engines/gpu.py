"""The NVIDIA GPU: device, streams, memory. All of CUDA that ``live/`` uses, by NVIDIA's cuda-core.

cuda-core rather than pycuda: it comes as a wheel, where pycuda wants a compiler and the CUDA toolkit to install, and it
has CUDA graphs.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from face.errors import UserError

_INSTALL = "install this program with pip install -e '.[gpu]' or '.[gpu-rtx]'"


def _has_driver() -> bool:
    """Whether the driver's library can be loaded: containers have it on paths that only the loader knows."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


class GpuLost(UserError):
    """A GPU failed while it worked; nothing more can be had of it in this process."""


class Gpu:
    """The first GPU, made current for the calling thread.

    Attributes:
        name: as NVIDIA calls it.
        capability: compute capability, e.g. ``(8, 9)``.
        stream: on which the owner's work runs in order.

    Raises:
        UserError: there is no GPU, or its packages are missing.
    """

    def __init__(self) -> None:
        try:
            from cuda.core import Device, LegacyPinnedMemoryResource
        except ImportError:
            raise UserError(f"The GPU needs the package cuda-core: {_INSTALL}, or use --device cpu.") from None
        if not _has_driver():
            raise UserError("No NVIDIA driver is installed here: install it, or use --device cpu.")
        try:
            self.device = Device()
            self.device.set_current()
            self.name = str(self.device.name)
            self.capability = (self.device.compute_capability.major, self.device.compute_capability.minor)
            self.stream = self.device.create_stream()
        except Exception as error:  # cuda-core raises bare exceptions of many kinds
            raise UserError(f"No NVIDIA GPU can be used here ({str(error).splitlines()[0]}): "
                            "check nvidia-smi, or use --device cpu.") from None  # fmt: skip
        self._host_memory = LegacyPinnedMemoryResource()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the GPU current for the calling thread, and tell its failures in one sentence.

        Raises:
            UserError: it ran out of memory.
            GpuLost: it failed.
        """
        try:
            self.device.set_current()
            yield
        except Exception as error:
            reason = str(error).split(":")[0]
            if isinstance(error, MemoryError) or "OUT_OF_MEMORY" in reason:
                raise UserError(f"{self.name} has too little free memory: end what else runs on it (nvidia-smi), or "
                                "use --device cpu.") from error  # fmt: skip
            if not reason.startswith("CUDA_ERROR"):
                raise
            raise GpuLost(f"{self.name} failed ({reason}): check nvidia-smi, and start again.") from error

    def memory_in_use(self) -> int:
        """Bytes of the GPU's memory that this program and all others hold.

        Raises:
            GpuLost: it failed.
        """
        from cuda.bindings import driver

        with self.working():
            result, free, total = driver.cuMemGetInfo()
            if result != driver.CUresult.CUDA_SUCCESS:
                raise RuntimeError(f"{result.name}: no memory info")
        return int(total - free)

    def allocate(self, size: int) -> Any:
        """A buffer of some bytes on the GPU; freed when nothing refers to it."""
        return self.device.allocate(size, stream=self.stream)

    def host_array(self, shape: tuple[int, ...], dtype: Any = np.uint8) -> tuple[np.ndarray, Any]:
        """A page-locked array, zeroed, and the buffer behind it, which must outlive it."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        buffer = self._host_memory.allocate(size)
        array = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(buffer.handle)))
        array[:] = 0
        return array.view(dtype).reshape(shape), buffer

    def upload(self, array: np.ndarray) -> Any:
        """A buffer on the GPU with an array's content."""
        array = np.ascontiguousarray(array)
        staged, source = self.host_array((array.nbytes,))
        staged[:] = array.reshape(-1).view(np.uint8)
        buffer = self.allocate(array.nbytes)
        buffer.copy_from(source, stream=self.stream)
        self.stream.sync()
        return buffer
