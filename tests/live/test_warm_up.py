"""What a first start compiles, before anyone watches."""

from __future__ import annotations

import threading

import pytest
from live_parts import NmfcGenerator, pipeline

from live.pipeline import StageError
from live.sources.browser import NoSource
from live.warm_up import warm_up

pytestmark = pytest.mark.fast


def test_a_face_goes_all_the_way_and_the_loop_is_left_as_it_was(model, module_target):
    shown = []

    class Generator(NmfcGenerator):
        def clone(self):
            return self

        def step(self, conditioning):
            shown.append(conditioning)
            return super().step(conditioning)

    loop = pipeline(model, module_target, NoSource(), Generator())
    warm_up(loop, threading.Event())
    assert shown[0].any()  # a face was found, fitted and drawn
    assert loop.latest is None and loop.metrics.counts() == {} and not loop.sinks


def test_a_stage_that_fails_says_so(model, module_target):
    class Broken(NmfcGenerator):
        def clone(self):
            return self

        def step(self, conditioning):
            raise ZeroDivisionError

    with pytest.raises(StageError, match="generate"):
        warm_up(pipeline(model, module_target, NoSource(), Broken()), threading.Event())
