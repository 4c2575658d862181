"""A take of somebody who speaks: lips in step with a synthetic voice, head and eyes as in conversation."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from face.landmarks import UNIT_NAMES
from offline.synthetic.blender.takes import FPS, Take, both, finish, units_vector
from offline.synthetic.blender.voice import Spoken

TEXT = (
    "I am nobody: a person who was never born. My voice is made by a machine, and so is my face. "
    "Look at me, smile, and open your mouth. The face beside mine does whatever you do."
)
START_S = 0.36  # of the voice: mouths move before they sound
_REST_S = 0.5  # after it
_AHEAD_S = 0.04  # by which lips are in place before the sound is heard
_PEAK = 0.35  # of a phoneme's length, where its shape is reached

_WIDE = {"jawOpen": 0.42, **both(mouthLowerDown=0.25, mouthUpperUp=0.12)}
_HALF = {"jawOpen": 0.22, **both(mouthLowerDown=0.2, mouthStretch=0.12)}
_TIGHT = {"jawOpen": 0.10, **both(mouthSmile=0.22, mouthStretch=0.2, mouthLowerDown=0.15)}
_OPEN_ROUND = {"jawOpen": 0.30, "mouthFunnel": 0.50}
_ROUND = {"jawOpen": 0.10, "mouthPucker": 0.55, "mouthFunnel": 0.2}
_CLOSED = {"mouthRollLower": 0.15, **both(mouthPress=0.4)}
_BITTEN = {"jawOpen": 0.05, "mouthRollLower": 0.45, **both(mouthUpperUp=0.2)}
_TONGUE = {"jawOpen": 0.10, **both(mouthLowerDown=0.22, mouthStretch=0.08)}
_HISSED = {"jawOpen": 0.05, **both(mouthLowerDown=0.2, mouthSmile=0.12)}
_PUSHED = {"jawOpen": 0.08, "mouthFunnel": 0.45, "mouthPucker": 0.15}
_BEHIND = {"jawOpen": 0.14, **both(mouthLowerDown=0.12)}
_VISEMES: dict[str, dict[str, float]] = {  # by the first letter of an IPA symbol
    **dict.fromkeys("aɑɐʌæ", _WIDE), **dict.fromkeys("əɛeɜɚ", _HALF), **dict.fromkeys("iɪᵻj", _TIGHT),
    **dict.fromkeys("ɔɒo", _OPEN_ROUND), **dict.fromkeys("uʊw", _ROUND), **dict.fromkeys("mbp", _CLOSED),
    **dict.fromkeys("fv", _BITTEN), **dict.fromkeys("tdnlθðɾ", _TONGUE), **dict.fromkeys("sz", _HISSED),
    **dict.fromkeys("ʃʒɹr", _PUSHED), **dict.fromkeys("kɡghŋʔ", _BEHIND),
}  # fmt: skip


def speech_take(spoken: Spoken, seed: int, name: str = "speech") -> Take:
    """A take as long as the voice, that ends as it began so that it can be played in a loop."""
    rng = np.random.default_rng(seed)
    count = math.ceil((START_S + spoken.duration_s + _REST_S) * FPS)
    times = np.arange(count) / FPS
    expression = _lips(spoken, times)
    for start in np.arange(1.1, times[-1] - 1, 2.9):
        _blink(expression, round((start + rng.uniform(-0.5, 0.5)) * FPS))
    brows = _wandering(rng, times, 0.9, np.array([0.14])).clip(0)
    expression += brows * units_vector({"browInnerUp": 1.0} | both(browOuterUp=0.8))
    euler = _wandering(rng, times, 0.8, np.array([6.0, 3.0, 2.5]))
    shift = _wandering(rng, times, 1.1, np.array([0.05, 0.03, 0.05]))
    gaze = _wandering(rng, times, 1.3, np.array([4.0, 2.5])) - 0.5 * euler[:, :2] * [1, -1]  # eyes stay on the viewer
    return finish(name, expression, euler, shift, gaze)


def _lips(spoken: Spoken, times: np.ndarray) -> np.ndarray:
    """Units ``[F, 52]`` at times of the clip, through the shape of each phoneme."""
    starts = np.array([start for start, _ in spoken.phonemes] + [spoken.duration_s])
    keys: dict[float, np.ndarray] = {0.0: units_vector({}), float(times[-1]): units_vector({})}
    for (start, symbol), end in zip(spoken.phonemes, starts[1:], strict=True):
        at = START_S + start + _PEAK * (end - start) - _AHEAD_S
        if 0 < at < times[-1]:
            keys[at] = units_vector(_VISEMES.get(symbol[:1], {}))
    at = np.array(sorted(keys))
    return PchipInterpolator(at, np.array([keys[k] for k in at]))(times)


def _blink(expression: np.ndarray, start: int) -> None:
    closed = np.sin(np.linspace(0, np.pi, 7)) ** 0.7
    for side in ("Left", "Right"):
        expression[start : start + 7, UNIT_NAMES.index("eyeBlink" + side)] = closed


def _wandering(rng: np.random.Generator, times: np.ndarray, every_s: float, spread: np.ndarray) -> np.ndarray:
    """A smooth random path ``[F, n]``, at rest at both ends."""
    keys = rng.normal(0, spread, (max(3, round(times[-1] / every_s)), len(spread))).clip(-2 * spread, 2 * spread)
    keys[[0, -1]] = 0
    return PchipInterpolator(np.linspace(0, times[-1], len(keys)), keys)(times)
