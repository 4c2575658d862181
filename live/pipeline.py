"""The loop: stages on threads, one-slot mailboxes between them. Only this module owns threads of stages."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

import numpy as np

from face.camera_map import CameraMap
from face.errors import UserError
from face.live_fit import LiveFit
from face.morphable import MorphableModel
from face.retarget import Retargeter, RetargetSettings
from face.target import TargetInfo
from face.tracking import FaceTracker
from live.frames import Conditioned, Frame, Generated, Sound
from live.loaded_target import LoadedTarget
from live.mailbox import Closed, Mailbox
from live.metrics import Metrics
from live.sources.sources import Source

_PRIORITY = -10  # of the thread that a frame's time is spent on, as `nice` counts


class State(StrEnum):
    """What the loop is doing, in words that the page shows."""

    WAITING = "waiting"
    CALIBRATING = "calibrating"
    LIVE = "live"
    FACE_LOST = "face lost"
    CLOSED = "closed"


class StageError(RuntimeError):
    """A stage crashed."""

    def __init__(self, stage: str, error: Exception) -> None:
        super().__init__(f"The {stage} stage failed: {error!r}")
        self.__cause__ = error


class Pipeline:
    """Source to pictures of the target.

    Threads: one captures, one finds and draws the face, one generates where a GPU does that. On a processor both would
    run on the same cores: finding the next face meanwhile only makes either slower and every picture older, so the
    face's thread generates too, one frame after the other. ``sinks`` get every picture on the generating thread,
    ``sound_sinks`` the source's sound on the source's; neither may block.

    Args:
        model: the morphable model.
        loaded: who is shown.
        source: where frames come from.
        drop: the newest frame wins (live); otherwise every frame is processed in turn.
        alone: no other loop runs beside this one, so that it may keep to a processor.
    """

    def __init__(
        self, model: MorphableModel, loaded: LoadedTarget, source: Source, drop: bool = True, alone: bool = True
    ) -> None:
        self._alone = alone
        self.metrics = Metrics()
        self.settings = RetargetSettings()
        self.state = State.WAITING
        self.model, self.loaded, self.source = model, loaded, source
        self.error: Exception | None = None
        self.on_end: Callable[[], None] = lambda: None
        self.latest: Generated | None = None
        self.sinks: list[Callable[[Generated], None]] = []
        self.sound_sinks: list[Callable[[Sound], None]] = []
        self._fit, self._retargeter = LiveFit(model), Retargeter(loaded.info, model)
        self._frames: Mailbox[Frame] = Mailbox(drop)
        self._conditioned: Mailbox[Conditioned] = Mailbox(drop)
        self._stop = threading.Event()
        self._recalibrate = threading.Event()
        self._guest: str | None = None
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
        """Find the source's identity and neutral anew."""
        self._recalibrate.set()

    def show(self, loaded: LoadedTarget) -> None:
        """Show another target from the next frame on."""
        self.loaded = loaded

    @property
    def target(self) -> TargetInfo:
        """Who is shown."""
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

    def deliver(self, guest: str, media: Frame | Sound) -> None:
        """A frame or sound from the guest."""
        if self._guest == guest:
            self._put(media)

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
        self._frames.put(media)

    def _capture(self) -> None:
        def emit(media: Frame | Sound) -> None:
            if self._guest is None:
                self._put(media)

        self.source.run(emit, self._stop)

    def _face(self) -> None:
        tracker = FaceTracker(person=self._fit.person)
        if self._alone and self.loaded.generator.on_processor:
            _take_first_processor()
        loaded: LoadedTarget | None = None
        while True:
            frame = self._frames.take()
            if loaded is not self.loaded:
                loaded = self.loaded
                self._retargeter.change_target(loaded.info)
                camera_map = CameraMap(self.model, np.array(loaded.info.camera_map))
            if self._recalibrate.is_set():
                self._recalibrate.clear()
                self._fit.recalibrate()
                tracker.reset()
            with self._stage("track"):
                landmarks = tracker.track(frame.image, round(frame.captured_s * 1000))
            if landmarks is None:
                found = self._fit.step(None, frame.captured_s, camera_map)
                self.state = State.FACE_LOST
            else:
                with self._stage("fit"):
                    found = self._fit.step(landmarks, frame.captured_s, camera_map)
                self.state = State.LIVE if self._fit.calibration >= 1 else State.CALIBRATING
            if self._fit.newcomer:
                self._retargeter.recalibrate()
            shown = self._retargeter.step(found, self.settings, frame.captured_s)
            with self._stage("render"):
                conditioning = loaded.renderer.render(shown)
            conditioned = Conditioned(conditioning, loaded, shown, landmarks, frame.captured_s)
            if loaded.generator.on_processor:
                self._generate(conditioned)
            else:
                self._conditioned.put(conditioned)

    def _generate_all(self) -> None:
        while True:
            self._generate(self._conditioned.take())

    def _generate(self, conditioned: Conditioned) -> None:
        with self._stage("generate"):
            image = conditioned.loaded.generator.step(conditioned.conditioning)
        self.metrics.made()
        generated = Generated(image, conditioned, conditioned.captured_s)
        self.latest = generated
        for sink in list(self.sinks):
            sink(generated)


def _take_first_processor() -> None:
    """Keep the calling thread on the first of its processors, ahead of others there, where the system can be told.

    ONNX Runtime keeps its helpers off that one. Left to itself the system often wakes a helper where the thread runs
    that waits for it, and lets others (a browser, the encoder) run there first: some milliseconds a frame each.
    """
    if hasattr(os, "sched_setaffinity"):  # Linux, where a thread has affinity and priority of its own
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with contextlib.suppress(PermissionError):  # granted to root and by LimitNICE
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
