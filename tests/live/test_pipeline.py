from __future__ import annotations

import os
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from live_parts import ListSource, NmfcGenerator, pipeline
from scipy.spatial.transform import Rotation
from threadpoolctl import threadpool_info, threadpool_limits

from face.errors import UserError
from face.parameters import EXPRESSION_SIZE
from face.retarget import Mode
from live.frames import Frame
from live.pipeline import State
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def portraits(model):
    person = Person(model, 5)
    return [person.render(p, 192, 192) for p in act(person, natural_motion(12, 5), 192)]


def run(loop):
    """Run to the end; what came out."""
    seen = []
    ended = threading.Event()
    loop.sinks.append(seen.append)
    loop.on_end = ended.set
    loop.start()
    assert ended.wait(60)
    loop.stop()
    return seen


def test_the_look_is_matched_while_it_is_calibrated(model, target_info, portraits):
    loop = pipeline(model, target_info, ListSource([*portraits, np.zeros_like(portraits[0])]))
    matches = []
    loop.sinks.append(lambda _: matches.append(loop.match))
    run(loop)
    assert loop.calibration < 1 and all(0 < match.score <= 1 for match in matches[:-1])
    assert matches[-1] is None  # no face


class Elsewhere(NmfcGenerator):
    """Generates as if not on the CPU's cores."""

    on_cpu = False


@pytest.mark.parametrize("generator", [NmfcGenerator, Elsewhere])
def test_every_frame_comes_out_once_when_nothing_may_be_dropped(model, target_info, portraits, generator):
    loop = pipeline(model, target_info, ListSource(portraits), generator())
    seen = run(loop)
    assert loop.error is None
    assert [round(g.captured_s / 0.04) for g in seen] == list(range(12))
    assert loop.dropped() == 0 and loop.metrics.counts()["in"] == 12
    assert seen[-1].image.shape == (64, 64, 3) and seen[-1].image.any()
    assert seen[-1].conditioned.landmarks is not None
    assert set(loop.metrics.percentiles()) >= {"track", "fit", "render", "generate"}
    assert loop.state is State.CLOSED


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell CPUs apart")
@pytest.mark.parametrize(("generator", "alone"), [(NmfcGenerator, True), (NmfcGenerator, False), (Elsewhere, True)])
def test_a_loop_alone_on_the_cpu_keeps_to_the_first(model, target_info, portraits, generator, alone):
    """Where others run, or a GPU does the work, the system is left to place them."""
    loop = pipeline(model, target_info, ListSource(portraits[:2]), generator(), alone=alone)
    places = []
    loop.sinks.append(lambda _: places.append(os.sched_getaffinity(0)))
    run(loop)
    all_places = os.sched_getaffinity(0)
    first = {min(all_places)}
    assert places == 2 * [first if alone and generator.on_cpu else all_places]


@pytest.mark.parametrize(("generator", "threads"), [(NmfcGenerator, {"face"}), (Elsewhere, {"generate"})])
def test_generating_takes_turns_with_finding_faces_where_both_need_the_same_cores(
    model, target_info, portraits, generator, threads
):
    loop = pipeline(model, target_info, ListSource(portraits[:3]), generator())
    seen = set()
    loop.sinks.append(lambda _: seen.add(threading.current_thread().name))
    run(loop)
    assert seen == threads


def test_what_is_the_whole_processs_affair_a_loop_leaves_alone(model, target_info, portraits):
    """On how many threads libraries compute is said once, by the command: other loops may outlive this one."""

    def threads():
        return cv2.getNumThreads(), *(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")

    loop = pipeline(model, target_info, ListSource(portraits[:3]))
    meanwhile = []
    loop.sinks.append(lambda _: meanwhile.append(threads()))
    kept = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        with threadpool_limits(2, "blas"):
            before = threads()
            run(loop)
            assert set(before) == {2} and meanwhile == 3 * [before] and threads() == before
    finally:
        cv2.setNumThreads(kept)


def test_a_lost_face_shows_the_target_and_never_the_camera(model, target_info, portraits):
    red = np.full((192, 192, 3), (255, 0, 0), np.uint8)
    states = []
    loop = pipeline(model, target_info, ListSource([*portraits[:3], red, red]))
    loop.sinks.append(lambda _: states.append(loop.state))
    seen = run(loop)
    assert seen[-1].conditioned.landmarks is None
    assert np.array_equal(seen[-1].image, seen[-1].conditioned.conditioning[..., :3])
    assert not (seen[-1].image == [255, 0, 0]).all(-1).any()
    assert State.FACE_LOST in states and State.CALIBRATING in states


@pytest.mark.parametrize("base", [NmfcGenerator, Elsewhere])
def test_a_crash_names_its_stage_and_ends_the_loop(model, target_info, portraits, base):
    class Broken(base):
        def step(self, conditioning):
            raise ZeroDivisionError

    loop = pipeline(model, target_info, ListSource(portraits, then_wait=True), Broken())
    run(loop)
    assert "generate stage" in str(loop.error) and isinstance(loop.error.__cause__, ZeroDivisionError)


def test_a_users_error_in_a_source_is_kept_as_it_is(model, target_info):
    class Unplugged:
        name = "unplugged"

        def run(self, emit, stop):
            raise UserError("The camera is gone.")

    loop = pipeline(model, target_info, Unplugged())
    run(loop)
    assert str(loop.error) == "The camera is gone."


def test_a_guest_takes_the_place_of_the_source(model, target_info, portraits):
    loop = pipeline(model, target_info, ListSource([], then_wait=True))
    assert loop.admit("a") and not loop.admit("b")
    assert loop.source_name == "the browser's camera"
    loop.dismiss("b")
    assert loop.source_name == "the browser's camera"
    loop.dismiss("a")
    assert loop.source_name == "a list"


def test_beside_a_guest_the_own_source_delivers_nothing(model, target_info, portraits):
    class Signals(ListSource):
        delivered = threading.Event()

        def run(self, emit, stop):
            super().run(emit, threading.Event())
            self.delivered.set()
            stop.wait()

    loop = pipeline(model, target_info, Signals(portraits))
    times, shown = [], threading.Event()
    loop.sinks.append(lambda generated: (times.append(generated.captured_s), shown.set()))
    assert loop.admit("a")
    loop.start()
    try:
        assert loop.source.delivered.wait(30)
        loop.deliver("a", Frame(portraits[0], 77.0, 0))
        assert shown.wait(60) and times == [77.0]
    finally:
        loop.stop()


def test_the_target_s_map_moves_the_head(model, target_info, portraits):
    """A map that says: the tracker always sees heads 0.05 radians too far up."""
    weights = np.zeros((10 + EXPRESSION_SIZE, 6))
    weights[0, 0] = 0.05
    mapped = replace(target_info, camera_map=weights.tolist())
    plain, corrected = (run(pipeline(model, info, ListSource(portraits)))[-1] for info in (target_info, mapped))
    turn = corrected.conditioned.parameters.camera.rotation @ plain.conditioned.parameters.camera.rotation.T
    assert Rotation.from_matrix(turn).as_rotvec() == pytest.approx([0.05, 0, 0], abs=0.01)


def test_settings_change_while_live(model, target_info, portraits):
    loop = pipeline(model, target_info, ListSource(portraits))
    loop.update(mode=Mode.FACE, strength=0.5)
    assert loop.settings.mode is Mode.FACE and loop.settings.strength == 0.5
    with pytest.raises(TypeError):
        loop.update(nonsense=1)


def test_stopping_twice_and_before_the_start_is_harmless(model, target_info):
    loop = pipeline(model, target_info, ListSource([]))
    loop.stop()
    loop.stop()
