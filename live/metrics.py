"""What the loop does and how long it takes: counters, and a window of times per stage."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_WINDOW = 500  # frames over which percentiles are taken
_RATE_WINDOW = 50  # frames over which the frame rate is taken


class Metrics:
    """Shared by all stages; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}
        self._counts: Counter[str] = Counter()
        self._sent: deque[float] = deque(maxlen=_RATE_WINDOW)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage's work on one frame."""
        start = time.perf_counter()
        yield
        self.record(name, time.perf_counter() - start)

    def record(self, name: str, seconds: float) -> None:
        """Note a duration."""
        with self._lock:
            self._times.setdefault(name, deque(maxlen=_WINDOW)).append(seconds)

    def count(self, name: str, amount: int = 1) -> None:
        """Count an event."""
        with self._lock:
            self._counts[name] += amount

    def clear(self) -> None:
        """Forget the times; counters go on."""
        with self._lock:
            self._times.clear()

    def sent(self, captured_s: float) -> None:
        """A picture left the loop: note its age and count it."""
        now = time.monotonic()
        self.record("capture to encoded", now - captured_s)
        with self._lock:
            self._counts["out"] += 1
            self._sent.append(now)

    def counts(self) -> dict[str, int]:
        """All counters."""
        with self._lock:
            return dict(self._counts)

    def rate(self) -> float:
        """Pictures sent per second, lately."""
        with self._lock:
            sent = list(self._sent)
        if len(sent) < 2 or time.monotonic() - sent[-1] > 2:
            return 0.0
        return (len(sent) - 1) / (sent[-1] - sent[0])

    def percentiles(self) -> dict[str, tuple[float, float]]:
        """Median and 95th percentile of each stage in milliseconds."""
        with self._lock:
            windows = {name: list(window) for name, window in self._times.items()}
        return {n: (float(np.median(w)) * 1e3, float(np.percentile(w, 95)) * 1e3) for n, w in windows.items() if w}
