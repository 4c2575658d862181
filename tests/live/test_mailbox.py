from __future__ import annotations

import threading

import pytest

from live.mailbox import Closed, Mailbox

pytestmark = pytest.mark.fast


def test_the_newest_wins_and_drops_are_counted():
    box: Mailbox[int] = Mailbox()
    for k in range(5):
        box.put(k)
    assert box.take() == 4 and box.dropped == 4


def test_without_dropping_put_waits_for_the_slot():
    box: Mailbox[int] = Mailbox(drop=False)
    taken = []

    def consume():
        for _ in range(100):
            taken.append(box.take())

    thread = threading.Thread(target=consume)
    thread.start()
    for k in range(100):
        box.put(k)
    thread.join(timeout=10)
    assert taken == list(range(100)) and box.dropped == 0


def test_slow_consumer_sees_only_fresh_items():
    """Driven by events: while the consumer is busy, the producer goes through ten items."""
    box: Mailbox[int] = Mailbox()
    busy, more = threading.Event(), threading.Event()
    seen = []

    def consume():
        for _ in range(3):
            seen.append(box.take())
            busy.set()
            more.wait(10)
            more.clear()

    thread = threading.Thread(target=consume)
    thread.start()
    box.put(0)
    for batch in range(2):
        assert busy.wait(10)
        busy.clear()
        for k in range(10):
            box.put(batch * 10 + k + 1)
        more.set()
    assert busy.wait(10)
    more.set()
    thread.join(timeout=10)
    assert seen == [0, 10, 20] and box.dropped == 18


def test_closing_wakes_both_ends_and_keeps_what_waits():
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.close()
    assert box.take() == 1
    with pytest.raises(Closed):
        box.take()
    with pytest.raises(Closed):
        box.put(2)
    waiting: Mailbox[int] = Mailbox()
    ended = threading.Event()

    def consume():
        with pytest.raises(Closed):
            waiting.take()
        ended.set()

    threading.Thread(target=consume).start()
    waiting.close()
    assert ended.wait(10)
