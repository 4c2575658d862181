"""Flows of a dataset's training takes, computed once: a GPU learns faster than a CPU can estimate them.

``DATASET/flows/KIND-STRIDE.npy`` holds, for each frame, the flow to the frame STRIDE earlier in its take,
``[N, H, W, 2]`` float16 px; frames without one are left zero.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.morphable import MorphableModel
from offline.dataset import Dataset
from offline.flow import FlowKind

_TOGETHER = 16  # frames of a task


def store_flows(dataset: Dataset, kind: FlowKind, strides: Iterable[int]) -> None:
    """Compute what is not there yet, on all CPU cores."""
    for stride in strides:
        path = dataset.flow_path(kind, stride)
        if path.exists():
            continue
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".part")
        shape = (*dataset.frames.shape[:3], 2)
        np.lib.format.open_memmap(partial, "w+", np.float16, shape).flush()
        spans = [
            (first, begin, min(begin + _TOGETHER, last))
            for first, last in dataset.train
            for begin in range(first + stride, last, _TOGETHER)
        ]
        store = functools.partial(_store, dataset.folder, partial, kind, stride)
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for _ in tqdm(pool.map(store, spans), total=len(spans), desc=f"flows to {stride} before", unit="part"):
                pass
        partial.replace(path)


def _store(folder: Path, path: Path, kind: FlowKind, stride: int, span: tuple[int, int, int]) -> None:
    """Flows of the frames ``begin … end-1`` of the take that begins at ``first``."""
    first, begin, end = span
    dataset, stored = _opened(folder), np.load(path, mmap_mode="r+")
    clip = dataset.sequence(begin - stride, end, first)
    for k in range(stride, end - begin + stride):
        stored[clip.first + k] = dataset.flow(clip, k, k - stride, kind)


@functools.lru_cache(1)
def _opened(folder: Path) -> Dataset:
    return Dataset(folder, MorphableModel.load())  # once a process
