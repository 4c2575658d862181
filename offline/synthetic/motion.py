"""Natural motion for synthetic people: head turns, speech-like mouths, blinks and gaze shifts, all from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from face.landmarks import UNIT_NAMES

FPS = 25
_HEAD_DEG = np.array([16.0, 8.0, 6.0])  # spread of yaw, pitch, roll
_HEAD_LIMIT_DEG = np.array([35.0, 20.0, 15.0])
_GAZE_DEG = np.array([13.0, 9.0])  # spread sideways, upwards
_BLINK_EVERY_S, _BLINK_FRAMES = 2.5, 7
_VISEMES = (
    {"jawOpen": 0.55, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3},
    {"jawOpen": 0.25, "mouthStretchLeft": 0.4, "mouthStretchRight": 0.4, "mouthSmileLeft": 0.2, "mouthSmileRight": 0.2},
    {"mouthFunnel": 0.6, "jawOpen": 0.25},
    {"mouthPucker": 0.7, "jawOpen": 0.08},
    {"mouthPressLeft": 0.5, "mouthPressRight": 0.5},
    {"mouthRollLower": 0.4, "jawOpen": 0.05},
)  # fmt: skip
_MOODS: tuple[dict[str, float], ...] = (
    {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5},
    {"browInnerUp": 0.8, "browOuterUpLeft": 0.7, "browOuterUpRight": 0.7, "eyeWideLeft": 0.4, "eyeWideRight": 0.4},
    {"browDownLeft": 0.8, "browDownRight": 0.8, "noseSneerLeft": 0.3, "noseSneerRight": 0.3},
    {"mouthFrownLeft": 0.6, "mouthFrownRight": 0.6},
    {},
    {},
)  # fmt: skip
_UPPER, _LOWER = ("mouthUpperUpLeft", "mouthUpperUpRight"), ("mouthLowerDownLeft", "mouthLowerDownRight")
_SMILE, _STRETCH = ("mouthSmileLeft", "mouthSmileRight"), ("mouthStretchLeft", "mouthStretchRight")
_ACTED: tuple[dict[str, float], ...] = (  # mouths that speech leaves out: grins that show teeth, cries, grimaces
    dict.fromkeys(_SMILE, 0.9) | dict.fromkeys(_UPPER, 0.5) | dict.fromkeys(_LOWER, 0.5),
    dict.fromkeys(_SMILE, 0.8) | dict.fromkeys(_UPPER, 0.4) | dict.fromkeys(_LOWER, 0.4) | {"jawOpen": 0.3},
    dict.fromkeys(_SMILE, 0.8) | dict.fromkeys(_LOWER, 0.2) | {"jawOpen": 0.6, "browInnerUp": 0.5},
    dict.fromkeys(_UPPER, 0.8) | dict.fromkeys(_LOWER, 0.8) | dict.fromkeys(_STRETCH, 0.6),
    dict.fromkeys(_STRETCH, 0.7) | dict.fromkeys(_LOWER, 0.5) | {"jawOpen": 0.4},
    {"jawOpen": 0.95, "eyeWideLeft": 0.6, "eyeWideRight": 0.6, "browInnerUp": 0.9},
    {"mouthFunnel": 0.9, "jawOpen": 0.5, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8},
    {"mouthPucker": 0.9}, {"mouthSmileLeft": 0.9, "mouthUpperUpLeft": 0.5}, {"mouthSmileRight": 0.9, "mouthLeft": 0.4},
    {"browDownLeft": 0.9, "browDownRight": 0.9, "noseSneerLeft": 0.7, "noseSneerRight": 0.7, "mouthUpperUpLeft": 0.6},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0, "jawOpen": 0.2}, {},
)  # fmt: skip


@dataclass(frozen=True)
class Motion:
    """Per frame at 25 fps: expression ``[F, 52]``, yaw, pitch, roll ``[F, 3]`` degrees, gaze ``[F, 2]`` degrees."""

    expression: np.ndarray
    euler_deg: np.ndarray
    gaze_deg: np.ndarray


def _units(weights: dict[str, float]) -> np.ndarray:
    vector = np.zeros(len(UNIT_NAMES))
    for name, weight in weights.items():
        vector[UNIT_NAMES.index(name)] = weight
    return vector


def _path(frames: int, every_s: float, keys: list[np.ndarray]) -> np.ndarray:
    """A smooth path through keys that recur about every so often; no overshoot."""
    times = np.linspace(0, max(frames - 1, every_s * FPS * (len(keys) - 1)), len(keys))
    return PchipInterpolator(times, np.array(keys))(np.arange(frames))


def _count(frames: int, every_s: float) -> int:
    return max(3, int(np.ceil(frames / FPS / every_s)) + 1)


def natural_motion(frames: int, seed: int) -> Motion:
    """A person talking to the camera for some frames."""
    rng = np.random.default_rng(seed)
    mouth = [_units(_VISEMES[rng.integers(len(_VISEMES))]) * rng.uniform(0.3, 1.2) for _ in range(_count(frames, 0.2))]
    pauses = _path(frames, 1.2, [np.array([rng.choice([0.0, 1.0, 1.0])]) for _ in range(_count(frames, 1.2))])
    moods = [_units(_MOODS[rng.integers(len(_MOODS))]) * rng.uniform(0.5, 1.2) for _ in range(_count(frames, 1.0))]
    expression = _path(frames, 0.2, mouth) * pauses + _path(frames, 1.0, moods)
    blink = [UNIT_NAMES.index("eyeBlinkLeft"), UNIT_NAMES.index("eyeBlinkRight")]
    start = 0.0
    while (start := start + rng.exponential(_BLINK_EVERY_S) * FPS) < frames - _BLINK_FRAMES:
        span = slice(int(start), int(start) + _BLINK_FRAMES)
        closed = np.sin(np.linspace(0, np.pi, _BLINK_FRAMES)) ** 0.7
        expression[span, blink] = np.maximum(expression[span, blink], closed[:, None])
    turns = np.clip(rng.normal(0, _HEAD_DEG, (_count(frames, 0.8), 3)), -_HEAD_LIMIT_DEG, _HEAD_LIMIT_DEG)
    euler = _path(frames, 0.8, list(turns))
    # Eyes jump and rest: each shift takes two frames.
    shifts = [rng.normal(0, _GAZE_DEG) for _ in range(_count(frames, 0.7))]
    gaze = np.repeat(np.array(shifts), int(0.7 * FPS) + 1, axis=0)[:frames]
    gaze[1:] = 0.5 * (gaze[1:] + gaze[:-1])
    expression = expression + _lids(gaze) * (1 - expression[:, blink].max(1, keepdims=True))
    return Motion(np.clip(expression, 0, 1), euler, gaze)


def acted_motion(frames: int, seed: int) -> Motion:
    """An actor who goes through all that a mouth can do, at every turn of the head: dense, for costly frames."""
    rng = np.random.default_rng(seed)
    faces = [_units(_ACTED[rng.integers(len(_ACTED))]) * rng.uniform(0.5, 1.1) for _ in range(_count(frames, 0.32))]
    turns = np.clip(rng.normal(0, _HEAD_DEG, (_count(frames, 0.6), 3)), -_HEAD_LIMIT_DEG, _HEAD_LIMIT_DEG)
    gaze = _path(frames, 0.4, [rng.normal(0, _GAZE_DEG) for _ in range(_count(frames, 0.4))])
    blink = [UNIT_NAMES.index("eyeBlinkLeft"), UNIT_NAMES.index("eyeBlinkRight")]
    expression = _path(frames, 0.32, faces)
    expression = expression + _lids(gaze) * (1 - expression[:, blink].max(1, keepdims=True))
    return Motion(np.clip(expression, 0, 1), _path(frames, 0.6, list(turns)), gaze)


def free_lids(motion: Motion, rng: np.random.Generator) -> Motion:
    """The same motion of somebody whose lids follow the gaze by their own amount, and not always.

    Whoever learns to see gaze from faces in which lids tell it does not learn to look at the eyes.
    """
    expression = motion.expression.copy()
    follow, wide, squint = rng.uniform(0.2, 1.2), rng.uniform(0, 1), rng.uniform(0, 0.5)

    def stray() -> np.ndarray:
        return np.clip(rng.normal(0, 0.15, (len(expression), 1)), -0.4, 0.4)

    def both(name: str) -> list[int]:
        return [UNIT_NAMES.index(f"{name}{side}") for side in ("Left", "Right")]

    for name, share in (("eyeLookUp", follow), ("eyeLookDown", follow), ("eyeWide", wide)):
        expression[:, both(name)] *= np.clip(share + stray(), 0, 1.3)
    expression[:, both("eyeSquint")] += np.clip(squint + 2 * stray() - 0.2, 0, 0.8)
    return Motion(np.clip(expression, 0, 1), motion.euler_deg, motion.gaze_deg)


def _lids(gaze_deg: np.ndarray) -> np.ndarray:
    """Units ``[F, 52]`` of lids that follow the gaze ``[F, 2]``; the model's own neutral looks sleepy."""
    right, up = gaze_deg[:, 0] / 25, gaze_deg[:, 1] / 20
    weights = {
        "eyeLookUp": (up, up), "eyeLookDown": (-up, -up), "eyeWide": (0.5 + 0.8 * up, 0.5 + 0.8 * up),
        "eyeLookOut": (right, -right), "eyeLookIn": (-right, right),
    }  # fmt: skip
    lids = np.zeros((len(gaze_deg), len(UNIT_NAMES)))
    for name, (left, right_eye) in weights.items():
        lids[:, UNIT_NAMES.index(f"{name}Left")] = left.clip(0, 1)
        lids[:, UNIT_NAMES.index(f"{name}Right")] = right_eye.clip(0, 1)
    return lids
