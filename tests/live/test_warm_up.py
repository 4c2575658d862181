"""What a first start compiles, before anyone watches."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from live_parts import NmfcGenerator, pipeline

from live.pipeline import Pipeline, StageError
from live.sources.browser import NoSource
from live.warm_up import warm_up

pytestmark = pytest.mark.fast
REPOSITORY = Path(__file__).parents[2]


def test_faces_go_all_the_way_and_the_loop_is_left_as_it_was(model, module_target, monkeypatch):
    shown, shown_before_the_end = [], []
    stop = Pipeline.stop
    monkeypatch.setattr(Pipeline, "stop", lambda trial: shown_before_the_end.append(len(shown)) or stop(trial))

    class Generator(NmfcGenerator):
        def clone(self):
            return self

        def step(self, conditioning):
            image = super().step(conditioning)
            shown.append(conditioning)
            return image

    loop = pipeline(model, module_target, NoSource(), Generator())
    warm_up(loop, threading.Event())
    assert shown[0].any()  # a face was found, fitted and drawn
    assert shown_before_the_end[0] >= 2  # filters do nothing before the second
    assert loop.latest is None and loop.metrics.counts() == {} and not loop.sinks


def test_a_stage_that_fails_says_so(model, module_target):
    class Broken(NmfcGenerator):
        def clone(self):
            return self

        def step(self, conditioning):
            raise ZeroDivisionError

    with pytest.raises(StageError, match="generate"):
        warm_up(pipeline(model, module_target, NoSource(), Broken()), threading.Event())


_COMPILED = """
import sys, threading
from numba.core.dispatcher import Dispatcher
from live.app import build_pipeline
from live.warm_up import warm_up

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith(("face.", "live."))]
    found = {id(one): one for module in modules for one in vars(module).values() if isinstance(one, Dispatcher)}
    return {one.py_func.__qualname__: len(one.signatures) for one in found.values()}

loop, _ = build_pipeline("demo", "demo")
warm_up(loop, threading.Event())
before = compiled()
shown = threading.Semaphore(0)
loop.sinks.append(lambda _: shown.release())
loop.start()
for _ in range(30):
    assert shown.acquire(timeout=60)
loop.stop()
print({name: count for name, count in compiled().items() if count != before[name]})
"""


def test_nothing_is_left_to_compile():
    """In a process of its own, where no other test has compiled anything."""
    run = subprocess.run([sys.executable, "-c", _COMPILED], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert run.stdout.strip() == "{}"
