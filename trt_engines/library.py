"""One view of TensorRT (``tensorrt`` 10 and 11) and of TensorRT for RTX (``tensorrt_rtx``): what both share."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from face.errors import UserError
from trt_engines.gpu import Gpu

# In order of preference; TensorRT for RTX's bindings are also to be had without their wrapper.
_MODULES = {
    "tensorrt": "TensorRT",
    "tensorrt_rtx": "TensorRT for RTX",
    "tensorrt_rtx_bindings": "TensorRT for RTX",
}


@dataclass(frozen=True)
class TensorRt:
    """A TensorRT library.

    Attributes:
        api: the module.
        name: for people.
        version: the library's.
    """

    api: Any
    name: str
    version: str

    @property
    def capabilities(self) -> tuple[tuple[int, int], ...]:
        """Compute capabilities of the GPUs that it builds for, whether they are at hand or not; empty where it builds
        for the GPU at hand only, whichever that is. TensorRT for RTX names them, and leaves out Hopper.
        """
        names = dir(getattr(self.api, "ComputeCapability", None))
        return tuple(sorted((int(n[2:-1]), int(n[-1])) for n in names if n.startswith("SM")))

    def check(self, gpu: Gpu) -> None:
        """Whether it runs on a GPU.

        Raises:
            UserError: it does not.
        """
        if self.capabilities and gpu.capability not in self.capabilities:
            raise UserError(
                f"{self.name} {self.version} does not run on {gpu.name} (compute capability "
                f"{gpu.capability[0]}.{gpu.capability[1]}): install TensorRT proper with pip install -e '.[gpu]', or "
                "use --device cpu."
            )

    @property
    def logger(self) -> Any:
        """The process's one logger: errors only, which also reach us as failures."""
        return _logger(self.api)


@cache
def _logger(api: Any) -> Any:
    return api.Logger(api.Logger.INTERNAL_ERROR)


@cache
def tensorrt() -> TensorRt:
    """The TensorRT that is installed.

    Raises:
        UserError: none is.
    """
    for module, name in _MODULES.items():
        try:
            api = importlib.import_module(module)
        except (ImportError, OSError):  # OSError: its libraries are missing
            continue
        return TensorRt(api, name, api.__version__)
    raise UserError(
        "TensorRT is not installed: install this program with pip install -e '.[gpu]' (TensorRT) or '.[gpu-rtx]' "
        "(TensorRT for RTX), or use --device cpu."
    )


def at_hand() -> tuple[TensorRt, Gpu]:
    """The TensorRT that is installed and the GPU that it runs on here.

    Raises:
        UserError: either is missing, or the one does not run on the other.
    """
    library, gpu = tensorrt(), Gpu()
    library.check(gpu)
    return library, gpu
