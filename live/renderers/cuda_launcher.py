"""Launches ``conditioning_kernels.cu``: NMFC and gaze image on the GPU, the maths of ``CpuConditioning``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from face.conditioning import CHANNELS
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.per_identity_cache import OncePerPerson
from live.renderers.packing import FACE, OUTLINES, FaceMesh
from trt_engines.gpu import Gpu

_SOURCE = Path(__file__).with_name("conditioning_kernels.cu")
_BLOCK = 256  # threads
_KEY_BYTES = 8


def compile_kernels(architecture: int) -> bytes:  # compute capability without its dot, e.g. 89
    """Machine code (cubin) of the kernels for a GPU's architecture, by NVRTC: no GPU and no nvcc are needed.

    Raises:
        RuntimeError: NVRTC refuses; the message holds what it says.
    """
    from cuda.bindings import nvrtc

    def done(result: tuple[Any, ...]) -> Any:
        if result[0] != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise RuntimeError(f"NVRTC: {result[0].name}")
        return result[1] if len(result) == 2 else result[1:]

    program = done(nvrtc.nvrtcCreateProgram(_SOURCE.read_bytes(), _SOURCE.name.encode(), 0, [], []))
    try:
        options = [
            f"--gpu-architecture=sm_{architecture}",
            "--fmad=false",
            f"--define-macro=EXPRESSION_SIZE={EXPRESSION_SIZE}",
        ]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            log = b" " * done(nvrtc.nvrtcGetProgramLogSize(program))
            done(nvrtc.nvrtcGetProgramLog(program, log))
            raise RuntimeError(f"{_SOURCE.name}: {log.decode().strip()}")
        code = b" " * done(nvrtc.nvrtcGetCUBINSize(program))
        done(nvrtc.nvrtcGetCUBIN(program, code))
        return code
    finally:
        nvrtc.nvrtcDestroyProgram(program)


class DeviceConditioning:
    """A conditioning ``[size, size, 6]`` uint8 that stays on the GPU until somebody wants to look at it.

    Attributes:
        buffer: on the GPU, complete.
    """

    def __init__(self, gpu: Gpu, buffer: Any, size: int) -> None:
        self._gpu, self.buffer, self._size = gpu, buffer, size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """A copy in the host's memory, for numpy."""
        with self._gpu.working():
            array, memory = self._gpu.host_array((self._size, self._size, CHANNELS))
            stream = self._gpu.device.create_stream()
            memory.copy_from(self.buffer, stream=stream)
            stream.sync()
        return array.astype(dtype or np.uint8)


class CudaConditioning:
    """Draws conditionings on the GPU.

    Args:
        model: the morphable model.
        size: height and width of the image in px.
        gpu: where.
        teeth: of the person; ``None`` leaves the mouth black.

    Raises:
        UserError: the GPU has too little memory, or was lost.
    """

    def __init__(self, model: MorphableModel, size: int, gpu: Gpu, teeth: TeethPlacement | None = None) -> None:
        self.size, self._gpu, self._model, self._teeth = size, gpu, model, teeth
        self._mesh = FaceMesh(model, teeth)
        with gpu.working():
            self._prepare(gpu, size)

    def _prepare(self, gpu: Gpu, size: int) -> None:
        """Kernels and buffers."""
        from cuda.core import LaunchConfig, ObjectCode

        code = ObjectCode.from_cubin(compile_kernels(gpu.capability[0] * 10 + gpu.capability[1]))
        self._project, self._rasterize, self._compose = (
            code.get_kernel(name) for name in ("project", "rasterize", "compose")
        )
        self._vertices, self._triangles = self._mesh.expression.shape[1], len(self._mesh.triangles)
        self._expression = gpu.upload(self._mesh.expression)
        self._indices = gpu.upload(self._mesh.triangles)
        self._colors = gpu.upload(self._mesh.colors)
        self._points = gpu.allocate(self._vertices * 3 * 4)
        self._keys = gpu.allocate(size * size * _KEY_BYTES)
        self._face = gpu.allocate(FACE.itemsize)
        self._packed, self._packed_memory = gpu.host_array((1,), FACE)
        self._neutral = OncePerPerson(lambda identity: gpu.upload(self._mesh.neutral(identity)))

        def threads(count: int) -> Any:
            return LaunchConfig(grid=-(-count // _BLOCK), block=_BLOCK)

        self._per_vertex = threads(max(self._vertices, size * size))
        self._per_triangle, self._per_pixel = threads(self._triangles), threads(size * size)

    def clone(self) -> CudaConditioning:
        """A renderer for another thread, with a stream and buffers of its own."""
        return CudaConditioning(self._model, self.size, Gpu(), self._teeth)

    def render(self, parameters: FaceParameters) -> Any:
        """Conditioning ``[H, W, 6]`` uint8, left on the GPU: a ``DeviceConditioning``."""
        with self._gpu.working():
            return self._draw(parameters)

    def _draw(self, parameters: FaceParameters) -> DeviceConditioning:
        from cuda.core import launch

        stream, size = self._gpu.stream, self.size
        self._packed[:] = self._mesh.pack(parameters)
        self._face.copy_from(self._packed_memory, stream=stream)
        image = self._gpu.allocate(size * size * CHANNELS)
        outlines = int(self._points.handle) + (self._vertices - len(OUTLINES)) * 3 * 4
        neutral = self._neutral(parameters.identity)
        launch(stream, self._per_vertex, self._project, self._face, neutral, self._expression,
               np.int32(self._vertices), np.int32(self._mesh.face_vertices), self._points,
               np.int32(size * size), self._keys)  # fmt: skip
        launch(stream, self._per_triangle, self._rasterize, self._points, self._indices, np.int32(self._triangles),
               np.int32(size), self._keys)  # fmt: skip
        launch(stream, self._per_pixel, self._compose, self._face, self._keys, self._colors,
               np.int32(self._mesh.face_triangles), np.intp(outlines), np.int32(size), image)  # fmt: skip
        stream.sync()  # others use the image on streams of their own
        return DeviceConditioning(self._gpu, image, size)
