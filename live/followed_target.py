"""Shows a target anew whenever its file is: one that is still being trained."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from face.errors import UserError
from live.loaded_target import LoadedTarget

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 2.0


class FollowedTarget:
    """Looks at a target file every two seconds, on a thread of its own, while the context lasts.

    Args:
        path: the file, which is replaced whole.
        load: opens it.
        show: called with what was opened.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self, path: Path, load: Callable[[], LoadedTarget], show: Callable[[LoadedTarget], None],
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:  # fmt: skip
        self._path, self._load, self._show, self._look_every_s = path, load, show, look_every_s
        self._shown = self._version()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="followed target", daemon=True)

    def __enter__(self) -> FollowedTarget:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _version(self) -> int:
        """Which of its versions the file is; 0 while there is none."""
        try:
            return self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _follow(self) -> None:
        while not self._ended.wait(self._look_every_s):
            version = self._version()
            if version in (0, self._shown):
                continue
            self._shown = version
            try:
                self._show(self._load())
            except UserError as error:  # the one before goes on
                logger.warning("the target in training cannot be shown: %s", error)
