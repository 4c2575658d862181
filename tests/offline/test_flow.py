from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import camera, units

from face.nmfc import NmfcRenderer
from face.parameters import FaceParameters
from offline.flow.optical_flow import composite_flow, estimated_flow, face_flow, warp_image
from offline.synthetic.raster_people import Person
from offline.training.pixel_losses import warp

pytestmark = pytest.mark.fast
SIZE = 192


@pytest.fixture(scope="module")
def two_frames(model):
    """A person in two frames: parameters, images, and the true flow from the second to the first."""
    person = Person(model, 2)
    earlier, now = (
        FaceParameters(person.identity, units(jawOpen=jaw), camera(yaw, size=SIZE, scale=70), np.zeros(2))
        for yaw, jaw in ((5, 0.1), (9, 0.3))
    )
    images = [person.render(p, SIZE, SIZE) for p in (earlier, now)]
    return earlier, now, *images, person.flow(now, earlier, SIZE, SIZE)


def test_the_fitted_face_gives_the_true_flow(model, two_frames):
    earlier, now, first, second, truth = two_frames
    flow, inside = face_flow(NmfcRenderer(model), now, earlier, SIZE)
    error = np.linalg.norm(flow - truth, axis=-1)[inside]
    estimate = np.linalg.norm(estimated_flow(second, first) - truth, axis=-1)[inside]
    assert inside.mean() > 0.1 and np.abs(truth[inside]).max() > 2
    assert np.median(error) < 0.1 and error.mean() < 0.5 * estimate.mean()
    both = composite_flow(flow, inside, estimated_flow(second, first))
    assert np.array_equal(both[inside], flow[inside]) and np.abs(both[:20, :20]).max() < 0.5


def test_the_flow_carries_the_earlier_image_along(two_frames):
    _, _, first, second, truth = two_frames
    face = np.linalg.norm(truth, axis=-1) > 0
    before = np.abs(first.astype(int) - second)[face].mean()
    after = np.abs(warp_image(first, truth).astype(int) - second)[face].mean()
    assert after < 0.5 * before
    tensor = torch.from_numpy(first.copy()).permute(2, 0, 1)[None].float()
    same = warp(tensor, torch.from_numpy(truth).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0).numpy()
    assert np.abs(same - warp_image(first, truth))[4:-4, 4:-4].mean() < 1.0
