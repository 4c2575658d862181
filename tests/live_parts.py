"""Stand-ins for the live loop's parts."""

from __future__ import annotations

import threading

import numpy as np

from face.conditioning import CpuConditioning
from face.morphable import MorphableModel
from face.target import TargetInfo
from live.frames import Frame
from live.loaded_target import LoadedTarget
from live.pipeline import Pipeline
from live.trust.marking import Marking


class ListSource:
    """Delivers some pictures, 40 ms of media time apart, as fast as they are taken."""

    name = "a list"

    def __init__(self, images: list[np.ndarray], then_wait: bool = False) -> None:
        self._images, self._then_wait = images, then_wait

    def run(self, emit, stop: threading.Event) -> None:
        for number, image in enumerate(self._images):
            emit(Frame(image, number * 0.04, number))
        if self._then_wait:
            stop.wait()


class NmfcGenerator:
    """Shows the NMFC itself: a picture that follows the conditioning, at no cost."""

    description = "the NMFC itself"
    size = 64
    on_cpu = True

    def __init__(self) -> None:
        self.steps = 0

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        self.steps += 1
        return np.ascontiguousarray(conditioning[..., :3])

    def reset(self) -> None:
        self.steps = 0

    def clone(self) -> NmfcGenerator:
        return NmfcGenerator()


class Unmarked(Marking):
    """Leaves images as they are, so that tests can compare them."""

    def apply(self, image: np.ndarray, target: TargetInfo) -> np.ndarray:
        return image

    def clone(self) -> Unmarked:
        return Unmarked()


def pipeline(
    model: MorphableModel,
    target: TargetInfo,
    source,
    generator=None,
    drop: bool = False,
    alone: bool = True,
    marking: Marking | None = None,
) -> Pipeline:
    loaded = LoadedTarget(target, CpuConditioning(model, target.size), generator or NmfcGenerator())
    return Pipeline(model, loaded, source, drop, alone, marking or Unmarked())
