"""One view of TensorRT (``tensorrt`` 10 and 11) and of TensorRT for RTX (``tensorrt_rtx``): what both share."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from face.errors import FaceError

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
        ahead_of_time: whether it builds engines for GPUs that are not at hand.
    """

    api: Any
    name: str
    version: str
    ahead_of_time: bool

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
        FaceError: none is.
    """
    for module, name in _MODULES.items():
        try:
            api = importlib.import_module(module)
        except (ImportError, OSError):  # OSError: its libraries are missing
            continue
        return TensorRt(api, name, api.__version__, hasattr(api, "ComputeCapability"))
    raise FaceError(
        "TensorRT is not installed: install this program with pip install -e '.[gpu]' (TensorRT) or '.[gpu-rtx]' "
        "(TensorRT for RTX), or use --device cpu."
    )
