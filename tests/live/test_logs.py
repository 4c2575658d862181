"""Log lines."""

from __future__ import annotations

import logging

import pytest

from live.logs import Seldom

pytestmark = pytest.mark.fast


def test_a_warning_that_repeats_itself_is_written_once_a_minute():
    seldom = Seldom()

    def passes(at_s: float, level: int = logging.WARNING) -> bool:
        record = logging.LogRecord("aiortc", level, "", 0, "no frame", None, None)
        record.created = at_s
        return seldom.filter(record)

    assert [passes(at_s) for at_s in (1000, 1001, 1059, 1060, 1061)] == [True, False, False, True, False]
    assert passes(1062, logging.ERROR)
