"""How neutral a look is, for calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import camera, units

from face.neutral_match import neutral_match
from face.parameters import EXPRESSION_SIZE, IDENTITY_SIZE, FaceParameters

pytestmark = pytest.mark.fast
RESTING = FaceParameters(np.zeros(IDENTITY_SIZE), np.zeros(EXPRESSION_SIZE), camera(), np.zeros(2))


def test_a_relaxed_face_that_looks_ahead_matches():
    assert neutral_match(RESTING).score == 1.0
    assert neutral_match(replace(RESTING, gaze=np.array([20.0, 0.0]))).score == 1.0
    assert neutral_match(replace(RESTING, camera=camera(roll=20))).score == 1.0


def test_an_expression_and_a_turned_head_match_less_the_stronger_they_are():
    grin = {"mouthSmileLeft": 1, "mouthSmileRight": 1, "cheekSquintLeft": 1, "cheekSquintRight": 1, "jawOpen": 1,
            "browInnerUp": 1, "mouthStretchLeft": 1, "mouthStretchRight": 1, "noseSneerLeft": 1}  # fmt: skip
    scores = []
    for part in (0.5, 0.8, 1.0):
        faces = units(**{name: part * value for name, value in grin.items()})
        match = neutral_match(replace(RESTING, expression=faces))
        assert match.head == 1.0 and match.score == match.expression
        scores.append(match.score)
    assert scores == sorted(scores, reverse=True) and scores[-1] < 0.5
    heads = [neutral_match(replace(RESTING, camera=camera(yaw=yaw, pitch=5))) for yaw in (3, 15, 40)]
    assert [m.expression for m in heads] == [1.0] * 3 and [m.score for m in heads] == [m.head for m in heads]
    assert heads[0].head == 1.0 and 0.4 < heads[1].head < 0.9 and heads[2].head == 0.0
