"""What is shown while a source delivers nothing."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from live_parts import ListSource, pipeline

from live.frames import Frame
from live.mailbox import Mailbox
from live.pipeline import State
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def portrait(model):
    person = Person(model, 5)
    parameters = list(act(person, natural_motion(12, 5), 192))[-1]
    return person.render(parameters, 192, 192)


@pytest.fixture
def quick(monkeypatch):
    for name, seconds in (("STALLED_S", 0.2), ("PAUSED_S", 0.8), ("REST_S", 2.0)):
        monkeypatch.setattr(f"live.pipeline._{name}", seconds)


class Watched:
    """A loop whose states and frames are kept, and can be waited for."""

    def __init__(self, loop) -> None:
        self.loop, self.made = loop, []
        self._changed = threading.Condition()
        loop.sinks.append(self._keep)

    def _keep(self, generated) -> None:
        with self._changed:
            self.made.append((self.loop.state, generated))
            self._changed.notify_all()

    def wait(self, matches):
        """The first frame that matches, by the loop's state and the frame."""
        first = lambda: next((g for state, g in self.made if matches(state, g)), None)  # noqa: E731
        with self._changed:
            assert self._changed.wait_for(lambda: first() is not None, 60), self.loop.state
            return first()


@pytest.fixture
def watched(model, target_info, portrait, quick):
    """A loop whose guest has sent one frame, and sends no more."""
    loop = pipeline(model, target_info, ListSource([], then_wait=True), drop=True)
    watched = Watched(loop)
    assert loop.admit("a")
    loop.start()
    loop.deliver("a", Frame(portrait, time.monotonic(), 0))
    yield watched
    loop.stop()


def state(expected: State):
    return lambda state, _: state is expected


def test_a_silent_camera_is_stalled_then_paused_and_goes_on_by_itself(watched, portrait):
    watched.wait(state(State.CALIBRATING))
    watched.wait(state(State.STALLED))
    paused = watched.wait(state(State.PAUSED))
    assert paused.conditioned.landmarks is None
    again_s = time.monotonic()
    watched.loop.deliver("a", Frame(portrait, again_s, 1))
    again = watched.wait(lambda _, generated: generated.captured_s == again_s)
    assert again.conditioned.landmarks is not None and watched.loop.state is not State.PAUSED


def test_a_silent_camera_s_target_comes_to_rest(watched, target_info):
    first = watched.wait(state(State.CALIBRATING))
    rest = target_info.resting().expression
    from_rest = lambda generated: np.abs(generated.conditioned.parameters.expression - rest).max()  # noqa: E731
    assert from_rest(first) > 0.05
    watched.wait(lambda _, generated: from_rest(generated) < 1e-6)


def test_after_a_guest_the_loop_waits(watched):
    watched.wait(state(State.CALIBRATING))
    watched.loop.dismiss("a")
    watched.wait(state(State.WAITING))


def test_a_mailbox_is_waited_for_so_long_only():
    mailbox: Mailbox[int] = Mailbox()
    with pytest.raises(TimeoutError):
        mailbox.take(0.01)
    mailbox.put(3)
    assert mailbox.take(0.01) == 3
