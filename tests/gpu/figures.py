"""How figures are taken and shown: times, rows of a table, distances, images to look at."""

from __future__ import annotations

import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from face.errors import UserError
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

WARM_UP = 50  # calls


def timed(work: Callable[[int], object], frames: int) -> tuple[float, float]:
    """Median and 95th percentile of a call's time in ms, after a warm-up."""
    spent = []
    for k in range(frames + WARM_UP):
        begin = time.perf_counter()
        work(k)
        spent.append((time.perf_counter() - begin) * 1000)
    spent = sorted(spent[WARM_UP:])
    return statistics.median(spent), spent[int(len(spent) * 0.95)]


def row(name: str, figures: tuple[float, float] | str) -> None:
    print(f"| {name} | " + (figures if isinstance(figures, str) else f"{figures[0]:.3f} | {figures[1]:.3f}") + " |",
          flush=True)  # fmt: skip


@contextmanager
def attempt(name: str) -> Iterator[None]:
    """What fails is a row of the table, and the rest is still measured."""
    try:
        yield
    except UserError as error:
        row(name, f"refused: {error} | ")
    except Exception as error:
        traceback.print_exc()
        row(name, f"FAILED: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''} | ")


def faces(model: MorphableModel, size: int, count: int) -> list[FaceParameters]:
    return act(Person(model, 4), natural_motion(count, 4), size)


def decibel(made: list[np.ndarray], expected: list[np.ndarray]) -> float:
    error = np.mean([((a.astype(float) - b) ** 2).mean() for a, b in zip(made, expected, strict=True)])
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def keep(folder: Path | None, name: str, rows: list[list[np.ndarray]]) -> None:
    """Images side by side, to be looked at."""
    if folder:
        sheet = np.vstack([np.hstack(images) for images in rows])
        cv2.imwrite(str(folder / f"{name}.png"), np.ascontiguousarray(sheet[..., ::-1]))
