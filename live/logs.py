"""Log output: lines for people, or JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
import time

_QUIET_S = 60.0  # between two warnings of a logger that repeats itself
_REPEATS = "aiortc.rtcrtpreceiver"


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, where, what."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as JSON."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Seldom(logging.Filter):
    """Lets a logger's warning through once a minute: aiortc writes one for each frame that it cannot decode."""

    def __init__(self) -> None:
        super().__init__()
        self._said_s = -_QUIET_S

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        if record.levelno > logging.WARNING:
            return True
        if record.created - self._said_s < _QUIET_S:
            return False
        self._said_s = record.created
        return True


def set_up(as_json: bool) -> None:
    """Log to standard error: our own events from ``INFO`` on when for machines, warnings otherwise."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if as_json else logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(_REPEATS).addFilter(Seldom())
    if as_json:
        logging.getLogger("live").setLevel(logging.INFO)
