"""What the loop does and how long it takes: counters, and a window of times per stage."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

import numpy as np

_WINDOW = 500  # frames over which percentiles are taken
BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0)  # of histograms
_RATE_WINDOW = 50  # frames over which the frame rate is taken


class Metrics:
    """Shared by all stages; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}
        self._histograms: dict[str, tuple[list[int], float]] = {}
        self._counts: Counter[str] = Counter()
        self._made: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._ages_s: deque[float] = deque(maxlen=_WINDOW)

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
            counts, total = self._histograms.setdefault(name, ([0] * (len(BUCKETS_S) + 1), 0.0))
            counts[bisect_left(BUCKETS_S, seconds)] += 1
            self._histograms[name] = counts, total + seconds

    def count(self, name: str, amount: int = 1) -> None:
        """Count an event."""
        with self._lock:
            self._counts[name] += amount

    def clear(self) -> None:
        """Forget the times; counters and histograms go on."""
        with self._lock:
            self._times.clear()
            self._ages_s.clear()

    def made(self) -> None:
        """A frame of the target was generated: count it."""
        with self._lock:
            self._counts["out"] += 1
            self._made.append(time.monotonic())

    def encoded(self, age_s: float) -> None:
        """A frame was encoded, so long after its capture."""
        self.record("capture to encoded", age_s)
        with self._lock:
            self._ages_s.append(age_s)

    def counts(self) -> dict[str, int]:
        """All counters."""
        with self._lock:
            return dict(self._counts)

    def histograms(self) -> dict[str, tuple[list[int], float]]:
        """Of each stage, since the start: how many times were at most each of ``BUCKETS_S``, and all; their sum."""
        with self._lock:
            return {name: (list(accumulate(counts)), total) for name, (counts, total) in self._histograms.items()}

    def rate(self) -> float:
        """Frames generated per second, lately."""
        with self._lock:
            times = list(self._made)
        if len(times) < 2 or time.monotonic() - times[-1] > 2:
            return 0.0
        return (len(times) - 1) / (times[-1] - times[0])

    def latency_s(self) -> float | None:
        """How long after their capture frames were encoded, lately: the median; ``None`` while none was."""
        with self._lock:
            window = list(self._ages_s)
        return float(np.median(window)) if window else None

    def percentiles(self) -> dict[str, tuple[float, float]]:
        """Median and 95th percentile of each stage in milliseconds."""
        with self._lock:
            windows = {name: list(window) for name, window in self._times.items()}
        return {n: (float(np.median(w)) * 1e3, float(np.percentile(w, 95)) * 1e3) for n, w in windows.items() if w}
