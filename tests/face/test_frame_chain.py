from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from face.conditioning import CpuConditioning
from face.frame_chain import FrameChain
from face.parameters import EXPRESSION_SIZE
from face.retarget import Retargeter, RetargetSettings
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def filmed(model):
    person = Person(model, 7)
    truth = act(person, natural_motion(8, 70), 256)
    return truth, [person.render(parameters, 256, 256) for parameters in truth]


@pytest.fixture
def stages():
    return []


@pytest.fixture
def chain(model, target_info, stages):
    @contextlib.contextmanager
    def stage(name):
        stages.append(name)
        yield

    return FrameChain(model, target_info, CpuConditioning(model, 64), Retargeter(target_info, model), stage=stage)


def test_the_target_turns_as_the_source_does(chain, filmed):
    truth, images = filmed
    steps = [chain.step(image, k / 25, RetargetSettings()) for k, image in enumerate(images)]
    yaw, expected = (np.array([p.camera.euler_deg[0] for p in side]) for side in ([s.parameters for s in steps], truth))
    assert np.abs(yaw - expected).max() < 4 and 0 < chain.calibration < 1
    assert all(step.landmarks is not None and step.conditioning[..., :3].any() for step in steps)
    assert [step.time_s for step in steps] == [k / 25 for k in range(len(images))]


def test_without_a_face_the_target_rests_and_nothing_is_fitted(chain, target_info, stages):
    step = chain.step(np.zeros((256, 256, 3), np.uint8), 0.0, RetargetSettings())
    assert step.landmarks is None and stages == ["track", "render"]
    assert np.allclose(step.parameters.expression, target_info.resting().expression)


def test_another_target_is_rendered_from_the_next_frame_on_with_its_camera_map(
    chain, model, target_info, filmed, stages
):
    _, images = filmed
    first = chain.step(images[0], 0.0, RetargetSettings())
    turned = np.zeros((10 + EXPRESSION_SIZE, 6))
    turned[0, 1] = 0.05  # about the vertical, radians
    chain.change_target(replace(target_info, camera_map=turned.tolist()), CpuConditioning(model, 32))
    second = chain.step(images[0], 0.04, RetargetSettings())
    assert first.conditioning.shape == (64, 64, 6) and second.conditioning.shape == (32, 32, 6)
    assert abs(second.parameters.camera.euler_deg[0] - first.parameters.camera.euler_deg[0]) > 2
    assert stages == ["track", "fit", "render"] * 2


def test_a_new_person_is_fitted_anew(chain, filmed):
    for k, image in enumerate(filmed[1]):
        chain.step(image, k / 25, RetargetSettings())
    chain.recalibrate()
    assert chain.calibration == 0
