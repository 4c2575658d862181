"""What tables are made of: numbers about some outputs, computed once and kept beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from face.files import atomic


def cell(
    outputs: np.ndarray, name: str, compute: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:  # outputs as from ``offline/experiments/training.py``
    """Arrays about outputs by name: those that were kept under the cell's name, else computed and kept."""
    path = file_of(outputs).with_suffix(f".{name}.npz")
    if not path.exists():
        with atomic(path) as partial:
            np.savez(partial, **compute())  # type: ignore[arg-type]  # none is allow_pickle
    with np.load(path) as kept:
        return dict(kept)


def file_of(outputs: np.ndarray) -> Path:
    """The file that outputs are read from; its folder is that of the run."""
    assert isinstance(outputs, np.memmap) and outputs.filename is not None
    return Path(outputs.filename)
