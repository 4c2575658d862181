"""Where the live loop computes: an NVIDIA GPU, or the CPU."""

from __future__ import annotations

from enum import StrEnum

from face.errors import UserError
from trt_engines.gpu import Gpu
from trt_engines.library import at_hand


class Device(StrEnum):
    """What the user asks for."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


def choose(device: Device) -> tuple[Gpu | None, str]:
    """The GPU to compute on, or ``None`` for the CPU, and a sentence that says which and why.

    Raises:
        UserError: a GPU is asked for and cannot be used.
    """
    if device is Device.CPU:
        return None, "Renderer and generator run on the CPU, as asked."
    try:
        library, gpu = at_hand()
    except UserError as error:
        if device is Device.CUDA:
            raise
        return None, f"Renderer and generator run on the CPU. {error}"
    return gpu, f"Renderer and generator run on {gpu.name}, by {library.name} {library.version}."
