"""Sound in step with the video: held back by what a frame takes, encoded once, handed to every viewer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from fractions import Fraction

import av
import numpy as np

from live.frames import SOUND_RATE, Sound
from live.metrics import Metrics
from live.streaming.media.codecs import SOUND_FRAME, open_sound
from live.streaming.media.video_encoder import PacketSink, Subscription

_LONGEST_WAIT = 100  # pieces held back, a few seconds; then the oldest go
_LONGEST_QUEUE = 25  # packets that a slow viewer may be behind: half a second
_LATENCY_EVERY_S = 1.0  # between two looks at how long frames take
_PLAYER_S = 0.04  # that a browser holds sound back longer than frames shown as they come (measured: 30 to 100 ms)
_STEP_S = 0.005  # sound moves no further at a time: browsers hold more back where it comes unsteadily
_SETTLE_S = 1.5  # before a listener hears anything: a browser that opens a page is slow, and long holds more sound back
_AGE_OF_NEW = 0.1  # share of the newest piece in how old sound is as it leaves
_SILENT_S = 1.0  # without any sound there is none
_JUMP_S = 0.06  # a source whose clock moves by more begins anew; so does what sound waits for


class SoundRelay:
    """Hands sound on with the frame of the same time; lives on the event loop except for ``put``.

    A piece of sound leaves as long after its capture as frames do, by the median of late, less what a browser
    will hold it back: then both are noticed at once. Where that is before its capture, a file's sound, which is
    handed in early, leaves then; a microphone's leaves at once.

    Args:
        loop: the event loop.
        metrics: knows the frames' latency.
        settle_s: between a listener's coming and its first sound.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics, settle_s: float = _SETTLE_S) -> None:
        self._loop, self._metrics, self._settle_s = loop, metrics, settle_s
        self._subscriptions: set[Subscription] = set()
        self._sinks: list[PacketSink] = []
        self._coming: dict[Subscription, asyncio.TimerHandle] = {}
        self._waiting: deque[Sound] = deque(maxlen=_LONGEST_WAIT)
        self._timer: asyncio.TimerHandle | None = None
        self._latency_s: float | None = None
        self._looked_s = 0.0
        self._closed = False
        self._encoder = open_sound()
        self._rest = np.zeros((0, 2), np.int16)
        self._begin_s: float | None = None
        self._given = 0  # samples since then
        self._age_s = 0.0  # of sound as it leaves
        self._left_s: float | None = None  # when some last did

    @property
    def ahead_ms(self) -> float | None:
        """By how much sound leaves before the frame of the same time, negative if after; ``None`` without either."""
        frames_s = self._metrics.latency_s()
        if frames_s is None or self._left_s is None or time.monotonic() - self._left_s > _SILENT_S:
            return None
        return round((frames_s - self._age_s) * 1000, 1)

    def put(self, sound: Sound) -> None:
        """Take a piece of the source's sound; may be called from any thread."""
        if (self._subscriptions or self._sinks) and not self._closed:
            try:
                self._loop.call_soon_threadsafe(self._hold, sound)
            except RuntimeError:  # the event loop has closed: the program is ending
                pass

    def subscribe(self) -> Subscription:
        """A new listener; it hears something when its frames have settled."""
        subscription = Subscription(from_key=False, longest=_LONGEST_QUEUE)
        self._coming[subscription] = self._loop.call_later(self._settle_s, self._admit, subscription)
        return subscription

    def _admit(self, subscription: Subscription) -> None:
        del self._coming[subscription]
        if not self._subscriptions:
            self._latency_s = None  # nobody hears it move
        self._subscriptions.add(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """A listener has gone."""
        if coming := self._coming.pop(subscription, None):
            coming.cancel()
        self._subscriptions.discard(subscription)

    def attach(self, sink: PacketSink) -> None:
        """Hand all sound to somebody who plays none, from now on."""
        self._sinks.append(sink)

    def detach(self, sink: PacketSink) -> None:
        """Hand it nothing more."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def close(self) -> None:
        """Hand nothing on any more."""
        self._closed = True
        for coming in self._coming.values():
            coming.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _latency(self) -> float:
        now = time.monotonic()
        if self._latency_s is None or now - self._looked_s >= _LATENCY_EVERY_S:
            self._looked_s = now
            frames_s = self._metrics.latency_s()
            if frames_s is not None:
                wanted_s, heard_s = frames_s - _PLAYER_S, self._latency_s
                if heard_s is None or abs(wanted_s - heard_s) > _JUMP_S:
                    self._latency_s = wanted_s
                else:
                    self._latency_s = heard_s + max(-_STEP_S, min(_STEP_S, wanted_s - heard_s))
        return self._latency_s or 0.0

    def _hold(self, sound: Sound) -> None:
        self._waiting.append(sound)
        if self._timer is None and not self._closed:
            self._wait()

    def _wait(self) -> None:
        due = self._waiting[0].captured_s + self._latency()
        self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._release)

    def _release(self) -> None:
        self._timer = None
        while self._waiting and self._waiting[0].captured_s + self._latency() <= time.monotonic() + 1e-3:
            self._encode(self._waiting.popleft())
        if self._waiting:
            self._wait()

    def _encode(self, sound: Sound) -> None:
        """Cut sound into packets; time stamps follow the samples, so that the source's jitter does not tear them."""
        now = time.monotonic()
        older_s = now - sound.captured_s - self._age_s
        self._age_s += older_s * (1 if self._left_s is None or abs(older_s) > _JUMP_S else _AGE_OF_NEW)
        self._left_s = now
        if self._begin_s is not None:
            expected_s = self._begin_s + (self._given + len(self._rest)) / SOUND_RATE
            if abs(sound.captured_s - expected_s) > _JUMP_S:
                skipped = round((sound.captured_s - self._begin_s) * SOUND_RATE)
                self._rest = self._rest[:0]
                if skipped < self._given:  # back in time: another source
                    self._begin_s = sound.captured_s - self._given / SOUND_RATE
                else:
                    self._given = skipped
        else:
            self._begin_s = sound.captured_s
        self._rest = np.concatenate([self._rest, sound.samples])
        while len(self._rest) >= SOUND_FRAME:
            piece, self._rest = self._rest[:SOUND_FRAME], self._rest[SOUND_FRAME:]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece).reshape(1, -1), format="s16",
                                               layout="stereo")  # fmt: skip
            frame.sample_rate, frame.time_base, frame.pts = SOUND_RATE, Fraction(1, SOUND_RATE), self._given
            self._given += SOUND_FRAME
            for packet in self._encoder.encode(frame):
                if packet.pts is not None and packet.pts >= 0:
                    packet.opaque = self._begin_s + packet.pts / SOUND_RATE
                    for sink in (*self._subscriptions, *self._sinks):
                        sink.push(packet)
