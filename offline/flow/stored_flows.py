"""Flows of a dataset's training takes, computed once: a GPU learns faster than a CPU can estimate them.

``DATASET/flows/KIND-STRIDE.npy`` holds, for each frame, the flow to the frame STRIDE earlier in its take,
``[N, H, W, 2]`` float16 px; frames without one are left zero.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face.files import atomic
from face.morphable import MorphableModel
from offline.dataset.dataset import Dataset
from offline.flow.optical_flow import FlowKind

_TOGETHER = 16  # frames of a task


def store_flows(dataset: Dataset, kind: FlowKind, strides: Iterable[int]) -> None:
    """Compute what is not there yet, on all CPU cores."""
    missing = [stride for stride in strides if not dataset.flow_path(kind, stride).exists()]
    if not missing:
        return
    spans = [
        (stride, first, begin, min(begin + _TOGETHER, last))
        for stride in missing
        for first, last in dataset.train
        for begin in range(first + stride, last, _TOGETHER)
    ]
    dataset.flow_path(kind, missing[0]).parent.mkdir(exist_ok=True)
    with contextlib.ExitStack() as written:
        parts = {stride: written.enter_context(atomic(dataset.flow_path(kind, stride))) for stride in missing}
        for part in parts.values():
            np.lib.format.open_memmap(part, "w+", np.float16, (*dataset.frames.shape[:3], 2)).flush()
        store = functools.partial(_store, dataset.folder, parts, kind)
        store(spans[0])  # compiles, so that the processes need not, each for itself
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for _ in tqdm(pool.map(store, spans[1:]), total=len(spans) - 1, desc="flows", unit="part"):
                pass


def _store(folder: Path, parts: dict[int, Path], kind: FlowKind, span: tuple[int, int, int, int]) -> None:
    """Flows of the frames ``begin … end-1`` of the take that begins at ``first``."""
    stride, first, begin, end = span
    dataset, stored = _opened(folder), np.load(parts[stride], mmap_mode="r+")
    clip = dataset.sequence(begin - stride, end, first)
    for k in range(stride, end - begin + stride):
        stored[clip.first + k] = dataset.flow(clip, k, k - stride, kind)


@functools.lru_cache(1)
def _opened(folder: Path) -> Dataset:
    return Dataset(folder, MorphableModel.load())  # once a process
