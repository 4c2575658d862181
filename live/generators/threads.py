"""How many threads a step should use, found out as it runs.

Alone on its cores a step gains from all of them. Beside a browser that draws without a GPU on the same cores its
threads wait for each other, and one alone is faster and leaves the browser room.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

_TRY_AGAIN = 50  # steps: what is slower now is tried once in so many
_MEMORY = 0.15  # share that a step's time has in the running mean


class Fastest:
    """Runs whichever of several sessions of one network is fastest just now; all make the same picture.

    Args:
        runs: each does a step; the first is preferred until it proves slow.
        clock: seconds.
    """

    def __init__(self, runs: Sequence[Callable[..., Any]], clock: Callable[[], float] = time.perf_counter) -> None:
        self._runs, self._clock = list(runs), clock
        self._spent_s: list[float | None] = [None] * len(runs)
        self._unused = [0] * len(runs)

    def __call__(self, *arguments: Any) -> Any:
        """Do one step."""
        chosen = self._choose()
        begin = self._clock()
        result = self._runs[chosen](*arguments)
        spent, known = self._clock() - begin, self._spent_s[chosen]
        # What is tried again after a while is judged anew: its old time says little.
        stale = known is None or self._unused[chosen] >= _TRY_AGAIN
        self._spent_s[chosen] = spent if stale else known + _MEMORY * (spent - known)  # type: ignore[operator]
        self._unused = [0 if k == chosen else unused + 1 for k, unused in enumerate(self._unused)]
        return result

    def _choose(self) -> int:
        for k, unused in enumerate(self._unused):
            if unused >= _TRY_AGAIN:
                return k
        return min(range(len(self._runs)), key=lambda k: self._spent_s[k] or 0.0)
