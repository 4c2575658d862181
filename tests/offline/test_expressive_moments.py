from __future__ import annotations

import numpy as np
import pytest
from conftest import camera, true_landmarks, units

from face.parameters import FaceParameters
from offline.evaluate.expressive_moments import moments

pytestmark = pytest.mark.fast
EXPRESSIONS = {
    "grin": units(mouthSmileLeft=0.9, mouthSmileRight=0.9),
    "O": units(jawOpen=0.4, mouthFunnel=0.8, mouthPucker=0.4),
    "frown": units(browDownLeft=0.9, browDownRight=0.9),
}


def test_each_kind_is_found_where_it_was_made(model):
    made = {"grin": 40, "O": 80, "frown": 120}
    videos = []
    for shift in (0, 5):
        seen = []
        for frame in range(160):
            kind = next((k for k, at in made.items() if frame == at + shift), None)
            expression = units(jawOpen=0.08) if kind is None else EXPRESSIONS[kind]
            face = FaceParameters(np.zeros(80), expression, camera(), np.zeros(2))
            seen.append(None if frame == 30 else true_landmarks(model, face, np.zeros(52)))
        videos.append(seen)
    found = moments(videos, 10)
    for kind, at in made.items():
        assert set(found[kind][:2]) == {(0, at), (1, at + 5)}
    assert (0, 80) not in found["closed mouth"]
    assert all(frame >= 10 for chosen in found.values() for _, frame in chosen)
