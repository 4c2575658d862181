"""Frames in, frames out: the program inside another one, without threads and without a server."""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np

from face.errors import UserError
from face.frame_chain import FrameChain
from face.morphable import MorphableModel
from face.retarget import Retargeter, RetargetSettings
from face.target import TargetInfo, find_target
from live.device import Device, choose
from live.target_loading import load_target
from live.trust.marking import Marking
from trt_engines.folders import TARGET_FOLDERS


class Reenactor:
    """Moves a target as the face in its frames moves.

    ::

        with Reenactor("demo") as reenactor:
            for frame in camera:
                show(reenactor.step(frame))

    Frames belong to one person in one shot. The first three seconds of a face calibrate; call ``recalibrate`` when
    another one follows. Use it on one thread.

    Args:
        target: name or file, as for ``--target``.
        device: where to render and generate.
        settings: how motion is carried over; may be changed at any time.
        marking: what every image is marked with; by default label and watermark.

    Attributes:
        settings: as given.
        face_found: whether there was a face in the last frame.

    Raises:
        UserError: there is no such target, or it cannot run here.
    """

    def __init__(
        self, target: str = "demo", device: Device = Device.AUTO, settings: RetargetSettings | None = None,
        marking: Marking | None = None,
    ) -> None:  # fmt: skip
        model = MorphableModel.load()
        self._loaded = load_target(find_target(target, TARGET_FOLDERS), model, choose(device)[0])
        info = self._loaded.info
        self._marking = marking or Marking()
        self._marking.check(info)
        self._chain: FrameChain | None = FrameChain(model, info, self._loaded.renderer, Retargeter(info, model))
        self._last_s = -np.inf
        self.settings = settings or RetargetSettings()
        self.face_found = False

    @property
    def target(self) -> TargetInfo:
        """The target; ``target.size`` is the height and width of its images, px."""
        return self._loaded.info

    @property
    def calibration(self) -> float:
        """How far the source's identity is fitted, 0…1."""
        return self._open().calibration

    def step(self, frame: np.ndarray, time_s: float | None = None) -> np.ndarray:
        """The target's image for a frame; without a face it eases to rest.

        Args:
            frame: ``[H, W, 3]`` uint8 RGB, upright.
            time_s: its time in seconds, later than the one before; by default now.

        Returns:
            ``[size, size, 3]`` uint8 RGB, the caller's own.

        Raises:
            UserError: it is no such frame, or its time is not later.
        """
        chain = self._open()
        if not (isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3):
            kind = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
            raise UserError(f"A frame is an array [height, width, 3] of uint8 RGB, not {kind}.")
        if min(frame.shape) == 0:
            raise UserError("A frame has at least one pixel.")
        time_s = time.monotonic() if time_s is None else time_s
        if not time_s > self._last_s:
            raise UserError(f"Frames come in order: {time_s} s is not after {self._last_s} s.")
        self._last_s = time_s
        step = chain.step(frame, time_s, self.settings)
        self.face_found = step.landmarks is not None
        return self._marking.apply(self._loaded.generator.step(step.conditioning), self._loaded.info)

    def recalibrate(self) -> None:
        """Another person follows: fit identity and neutral anew."""
        self._open().recalibrate()

    def close(self) -> None:
        """Let go of networks and buffers."""
        self._chain = None

    def _open(self) -> FrameChain:
        if self._chain is None:
            raise UserError("The Reenactor is closed: make a new one.")
        return self._chain

    def __enter__(self) -> Reenactor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
