"""The loop: stages on threads, one-slot mailboxes between them. Only this module owns threads of stages."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

import numpy as np

from face.errors import UserError
from face.frame_chain import FrameChain
from face.morphable import MorphableModel
from face.neutral_match import NeutralMatch, neutral_match
from face.retarget import Retargeter, RetargetSettings
from face.target import TargetInfo
from live.frames import Conditioned, Frame, Generated, Media, Sound, SourceGone
from live.loaded_target import LoadedTarget
from live.mailbox import Closed, Mailbox
from live.metrics import Metrics
from live.sources.source import Source
from live.trust.marking import Marking

_PRIORITY = -10  # of the thread that a frame's time is spent on, as `nice` counts
_STALLED_S, _PAUSED_S = 1.0, 4.0  # without a frame of a live source
_REST_S, _REST_INTERVAL_S = 2.0, 0.04  # of a stalled source: how long the target eases to rest, a frame each interval


class State(StrEnum):
    """What the loop is doing, in words that the page shows."""

    WAITING = "waiting"
    CALIBRATING = "calibrating"
    LIVE = "live"
    FACE_LOST = "face lost"
    CAMERA_GONE = "camera gone"
    STALLED = "stalled"
    PAUSED = "camera paused"
    CLOSED = "closed"


class StageError(RuntimeError):
    """A stage crashed."""

    def __init__(self, stage: str, error: Exception) -> None:
        super().__init__(f"The {stage} stage failed: {error!r}")
        self.__cause__ = error


class Pipeline:
    """Source frames to images of the target.

    Threads: one captures, one runs the frame chain (track, fit, retarget, render), one generates on a GPU. On a CPU
    chain and generator would share the cores: tracking the next frame meanwhile only slows both down and ages every
    image. So the chain's thread generates too, one frame after the other. ``sinks`` get every image on the generating
    thread, ``sound_sinks`` the source's sound on the source's; neither may block.

    Args:
        model: the morphable model.
        loaded: the target to show.
        source: where frames come from.
        drop: the newest frame wins (live); otherwise every frame is processed in turn.
        alone: no other loop runs beside this one, so that it may keep to one CPU.
        marking: what every image is marked with; by default label and watermark.
    """

    def __init__(
        self, model: MorphableModel, loaded: LoadedTarget, source: Source, drop: bool = True, alone: bool = True,
        marking: Marking | None = None,
    ) -> None:  # fmt: skip
        self._alone, self._live = alone, drop
        self.marking = marking or Marking()
        self.metrics = Metrics()
        self.settings = RetargetSettings()
        self.frozen = False  # the last image is shown on, whatever the source does
        self.mirrored = False  # the source's frames have left and right exchanged
        self.state = State.WAITING
        self.model, self.loaded, self.source = model, loaded, source
        self.error: Exception | None = None
        self.on_end: Callable[[], None] = lambda: None
        self.latest: Generated | None = None
        self.gone: str | None = None  # why the own source delivers nothing for now, a sentence
        self.sinks: list[Callable[[Generated], None]] = []
        self.sound_sinks: list[Callable[[Sound], None]] = []
        self._frames: Mailbox[Frame] = Mailbox(drop)
        self._conditioned: Mailbox[Conditioned] = Mailbox(drop)
        self._stop = threading.Event()
        self._recalibrate = threading.Event()
        self._guest: str | None = None
        self.calibration = 0.0  # how far the source's identity is fitted, 0…1
        self.match: NeutralMatch | None = None  # of the source's look, while it is being calibrated
        self._own_source_delivers = False
        self._heard_s: float | None = None  # when a frame last came
        self._threads = [
            threading.Thread(target=self._guarded, args=(work, name), name=name, daemon=True)
            for name, work in (("capture", self._capture), ("face", self._face), ("generate", self._generate_all))
        ]

    def start(self) -> None:
        """Start all stages."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop all stages and wait for them."""
        self._end()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(timeout=5)
        self.state = State.CLOSED

    def fail(self, stage: str, error: Exception) -> None:
        """A stage cannot go on, one of the loop's or one behind it: end the loop, and say why."""
        named = error if isinstance(error, UserError | StageError) else StageError(stage, error)
        self.error = self.error or named
        self._end()

    def recalibrate(self) -> None:
        """Fit the source's identity and neutral anew."""
        self._recalibrate.set()

    def show(self, loaded: LoadedTarget) -> None:
        """Show another target from the next frame on."""
        self.loaded = loaded

    @property
    def target(self) -> TargetInfo:
        """The target that is shown."""
        return self.loaded.info

    def update(self, **changes: object) -> None:
        """Change retargeting settings (see ``RetargetSettings``)."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]

    def dropped(self) -> int:
        """Frames that a newer one replaced."""
        return self._frames.dropped + self._conditioned.dropped

    # -- another source in place of the own one (the browser's camera)
    def admit(self, guest: str) -> bool:
        """Let a guest deliver frames in place of the source; ``False`` if another already does."""
        if self._guest is not None:
            return False
        self._guest = guest
        self.recalibrate()
        return True

    def dismiss(self, guest: str) -> None:
        """The guest has gone: the own source goes on."""
        if self._guest == guest:
            self._guest = None
            self.recalibrate()
            if not self._own_source_delivers:
                self.state = State.WAITING

    def deliver(self, guest: str, media: Frame | Sound) -> None:
        """A frame or sound from the guest."""
        if self._guest == guest:
            self._put(media)

    @property
    def guest(self) -> str | None:
        """Whose frames are shown in place of the source's."""
        return self._guest

    @property
    def source_name(self) -> str:
        """Where frames come from now."""
        return "the browser's camera" if self._guest is not None else self.source.name

    # -- stages
    def _guarded(self, work: Callable[[], None], name: str) -> None:
        """Run a stage; a crash ends the loop and names the stage."""
        try:
            with contextlib.suppress(Closed):
                work()
            # No more items for the stage behind; the last stage ends the loop.
            {"capture": self._frames.close, "face": self._conditioned.close, "generate": self._end}[name]()
        except Exception as error:
            self.fail(name, error)

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time a stage's work on one frame, and say where it crashed."""
        try:
            with self.metrics.stage(name):
                yield
        except UserError:
            raise
        except Exception as error:
            raise StageError(name, error) from error

    def _end(self) -> None:
        self._stop.set()
        self._frames.close()
        self._conditioned.close()
        self.on_end()

    def _put(self, media: Frame | Sound) -> None:
        if isinstance(media, Sound):
            for sink in list(self.sound_sinks):
                sink(media)
            return
        self.metrics.count("in")
        self._heard_s = time.monotonic()
        self._frames.put(media)

    def _capture(self) -> None:
        def emit(media: Media) -> None:
            self._own_source_delivers = True
            self.gone = media.reason if isinstance(media, SourceGone) else None
            if self._guest is None and not isinstance(media, SourceGone):
                self._put(media)

        self.source.run(emit, self._stop)

    def _face(self) -> None:
        loaded = self.loaded
        chain = FrameChain(self.model, loaded.info, loaded.renderer, Retargeter(loaded.info, self.model),
                           stage=self._stage)  # fmt: skip
        if self._alone and loaded.generator.on_cpu:
            _pin_to_first_cpu()
        while True:
            frame = self._next_frame()
            if loaded is not self.loaded:
                loaded = self.loaded
                chain.change_target(loaded.info, loaded.renderer)
            if frame is None:
                step = chain.step(None, time.monotonic(), self.settings)
            else:
                if self._recalibrate.is_set():
                    self._recalibrate.clear()
                    chain.recalibrate()
                image = np.ascontiguousarray(frame.image[:, ::-1]) if self.mirrored else frame.image
                step = chain.step(image, frame.captured_s, self.settings)
                if step.landmarks is None:
                    self.state = State.FACE_LOST
                else:
                    self.state = State.LIVE if chain.calibration >= 1 else State.CALIBRATING
            self.calibration = chain.calibration
            self.match = None if step.source is None or chain.calibration >= 1 else neutral_match(step.source)
            conditioned = Conditioned(step.conditioning, loaded, step.parameters, step.landmarks, step.time_s)
            if loaded.generator.on_cpu:
                self._generate(conditioned)
            else:
                self._conditioned.put(conditioned)

    def _next_frame(self) -> Frame | None:
        """The next frame; ``None`` where a live source is silent and the target is to ease to rest."""
        while True:
            heard_s = self._heard_s
            if not self._live or heard_s is None:
                return self._frames.take()
            silent_s = time.monotonic() - heard_s
            try:
                return self._frames.take(max(_STALLED_S - silent_s, _REST_INTERVAL_S))
            except TimeoutError:
                silent_s = time.monotonic() - heard_s
            if self._guest is None and self.gone is not None:
                self.state = State.CAMERA_GONE
            elif self._guest is None and not self._own_source_delivers:
                self.state = State.WAITING
            elif silent_s >= _STALLED_S:
                self.state = State.PAUSED if silent_s >= _PAUSED_S else State.STALLED
            if _STALLED_S <= silent_s < _STALLED_S + _REST_S:
                return None

    def _generate_all(self) -> None:
        while True:
            self._generate(self._conditioned.take())

    def _generate(self, conditioned: Conditioned) -> None:
        if self.frozen and self.latest is not None:
            image = self.latest.image
        else:
            with self._stage("generate"):
                image = conditioned.loaded.generator.step(conditioned.conditioning)
            with self._stage("mark"):
                image = self.marking.apply(image, conditioned.loaded.info)
        self.metrics.made()
        generated = Generated(image, conditioned, conditioned.captured_s)
        self.latest = generated
        for sink in list(self.sinks):
            sink(generated)


def _pin_to_first_cpu() -> None:
    """Keep the calling thread on the first of its CPUs, ahead of others there, where the system allows it.

    ONNX Runtime keeps its helpers off that one. Left to itself the system often wakes a helper where the thread runs
    that waits for it, and lets others (a browser, the encoder) run there first: some milliseconds a frame each.
    """
    if hasattr(os, "sched_setaffinity"):  # Linux, where a thread has affinity and priority of its own
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with contextlib.suppress(PermissionError):  # granted to root and by LimitNICE
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
