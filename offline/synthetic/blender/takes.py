"""The plan of what is filmed: takes that cover what real drivers do. A longer plan begins like a shorter one.

``motion.npz`` holds the movement (nobody's face) of seven people who talk and act, at 25 frames a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from face.landmarks import UNIT_NAMES

FPS = 25
TAKE_FRAMES = 50
HELD_OUT = "held_out"
_HELD_OUT_SHARE = 0.1
_RESERVED_FRAMES = 320  # the end of the longest clip is filmed only as held-out takes
_LIMIT_DEG = np.array([35.0, 20.0, 15.0])
_LIMIT_DM = np.array([0.3, 0.2, 0.5])
_GAZE_DEG = np.array([25.0, 20.0])  # of an eyeLook unit at full strength
_PATTERN = ("natural", "grins", "frowns", "acted", "speech", "rounds", "natural", "gazes", "acted", "natural")


def both(**weights: float) -> dict[str, float]:
    """Units of the left and the right side alike."""
    return {name + side: weight for name, weight in weights.items() for side in ("Left", "Right")}


_GRINS: tuple[dict[str, float], ...] = (
    both(mouthSmile=0.9, cheekSquint=0.7, mouthUpperUp=0.5, mouthLowerDown=0.4),
    both(mouthSmile=0.85, cheekSquint=0.5, mouthUpperUp=0.3) | {"jawOpen": 0.35},
    both(mouthSmile=0.8, mouthUpperUp=0.6, mouthLowerDown=0.6, mouthStretch=0.4),
    both(mouthSmile=0.6, mouthDimple=0.4),
    both(mouthSmile=0.9, cheekSquint=0.8, eyeSquint=0.5) | {"jawOpen": 0.6}, {},
)  # fmt: skip
_ROUNDS: tuple[dict[str, float], ...] = (
    {"mouthFunnel": 0.9, "jawOpen": 0.3}, {"mouthFunnel": 0.7, "jawOpen": 0.55}, {"mouthPucker": 0.9},
    {"mouthPucker": 0.6, "jawOpen": 0.25}, {"mouthFunnel": 0.5, "mouthPucker": 0.4}, {"jawOpen": 0.9},
    {"jawOpen": 0.4}, {},
)  # fmt: skip
_FROWNS: tuple[dict[str, float], ...] = (
    both(browDown=0.9, noseSneer=0.6, mouthPress=0.5), both(browDown=0.7, eyeSquint=0.6),
    both(mouthFrown=0.8) | {"browInnerUp": 0.6, "mouthShrugLower": 0.5}, both(mouthFrown=0.7, browDown=0.6),
    {"browInnerUp": 0.9} | both(browOuterUp=0.8, eyeWide=0.7), {"browInnerUp": 0.8} | both(mouthStretch=0.4), {},
)  # fmt: skip
_SPEECH: tuple[dict[str, float], ...] = (  # lips that hardly part
    both(mouthPress=0.5), {"mouthRollLower": 0.5, "mouthRollUpper": 0.4}, {"mouthClose": 0.15, "jawOpen": 0.15},
    {"mouthPucker": 0.45}, {"jawOpen": 0.12} | both(mouthStretch=0.3),
    {"mouthShrugUpper": 0.4, "mouthShrugLower": 0.4},
    {"jawOpen": 0.1, "mouthFunnel": 0.25}, both(mouthLowerDown=0.3) | {"jawOpen": 0.06},
    {"mouthClose": 0.25, "jawOpen": 0.25}, {},
)  # fmt: skip
_OTHERS: tuple[dict[str, float], ...] = (  # with those above, every unit occurs
    both(eyeSquint=0.9), both(eyeBlink=1.0), {"eyeBlinkLeft": 1.0, "mouthSmileLeft": 0.4},
    {"eyeBlinkRight": 1.0, "mouthSmileRight": 0.4}, both(mouthLowerDown=0.8), both(mouthUpperUp=0.8, noseSneer=0.4),
    {"mouthLeft": 0.7}, {"mouthRight": 0.7}, {"jawLeft": 0.7}, {"jawRight": 0.7}, {"jawForward": 0.6},
    {"cheekPuff": 0.8},
    {"mouthRollLower": 0.8, "mouthRollUpper": 0.8}, {"mouthSmileLeft": 0.8, "mouthDimpleLeft": 0.5},
    {"mouthSmileRight": 0.8, "mouthDimpleRight": 0.5}, {"browOuterUpLeft": 0.9}, {"browOuterUpRight": 0.9},
    {"tongueOut": 0.7},
)  # fmt: skip
_ALL = _GRINS + _ROUNDS + _FROWNS + _SPEECH + _OTHERS


@dataclass(frozen=True)
class Take:
    """Frames filmed in one go.

    Attributes:
        name: of the files.
        expression: ``[F, 52]``, face units 0…1.
        euler_deg: ``[F, 3]`` yaw, pitch, roll of the head.
        translation_dm: ``[F, 3]`` of the person: to the image's right, up, to the viewer.
        gaze_deg: ``[F, 2]`` to the image's right, and up, in the head's frame.
    """

    name: str
    expression: np.ndarray
    euler_deg: np.ndarray
    translation_dm: np.ndarray
    gaze_deg: np.ndarray


def plan(seed: int, frames: int) -> list[Take]:
    """Takes of about so many frames altogether, a tenth of them held out (in takes of their own)."""
    held_out = max(1, round(frames * _HELD_OUT_SHARE / TAKE_FRAMES))
    trained = max(1, round(frames / TAKE_FRAMES) - held_out)
    takes = [_take(seed, k) for k in range(trained)]
    for k in range(held_out):  # among the first, so that a film that is never finished has one
        takes.insert(min(6 * k + 4, len(takes)), _held_out(k))
    return takes


def _take(seed: int, number: int) -> Take:
    rng = np.random.default_rng([seed, number])
    kind = _PATTERN[number % len(_PATTERN)]
    name = f"take_{number:03d}_{kind}"
    if kind == "natural":
        clips = _clips()
        lengths = [
            len(clip[0]) - (_RESERVED_FRAMES if k == _longest() else 0) - TAKE_FRAMES for k, clip in enumerate(clips)
        ]
        weights = np.maximum(lengths, 0) ** 0.7
        clip = int(rng.choice(len(clips), p=weights / weights.sum()))
        return _natural(name, clip, int(rng.integers(lengths[clip])), rng.uniform(0.9, 1.4), rng.normal(0, [13, 6, 5]))
    faces = {"grins": _GRINS, "rounds": _ROUNDS, "frowns": _FROWNS, "speech": _SPEECH}.get(kind, _ALL)
    every_s = 0.22 if kind == "speech" else 0.3
    # Acted takes go through the rare faces in turn, each mixed with another, so that no unit is left out.
    rare = iter(range(8 * (number // len(_PATTERN) * 2 + (number % len(_PATTERN) > 5)), 10**6))

    def face() -> np.ndarray:
        units = units_vector(faces[rng.integers(len(faces))]) * rng.uniform(0.6, 1.1)
        if faces is _ALL:
            units = units * rng.choice([0, 0.5, 1]) + units_vector(_OTHERS[next(rare) % len(_OTHERS)]) * rng.uniform(
                0.8, 1.2
            )
        return units.clip(0, 1)

    calm = kind in ("speech", "gazes")
    expression = _path(every_s if kind != "gazes" else 0.6, face) * (0.4 if kind == "gazes" else 1.0)
    gaze = _path(0.27, lambda: rng.uniform(-1, 1, 2) * _GAZE_DEG if kind == "gazes" else rng.normal(0, [8, 5]))
    # Every second key goes to the edge of what is covered.
    edge = iter(np.tile([False, True], 1000))
    spread = np.array([9, 5, 4.0]) if calm else np.array([16, 9, 7.0])

    def turn() -> np.ndarray:
        wide = next(edge) and not calm
        return np.clip(
            rng.uniform(-1.05, 1.05, 3) * _LIMIT_DEG if wide else rng.normal(0, spread), -_LIMIT_DEG, _LIMIT_DEG
        )

    euler = _path(0.45, turn)
    shift = _path(0.5, lambda: np.clip(rng.normal(0, [0.10, 0.06, 0.15]), -_LIMIT_DM, _LIMIT_DM))
    return finish(name, _with_blinks(rng, expression), euler, shift, np.clip(gaze, -_GAZE_DEG, _GAZE_DEG))


def _held_out(number: int) -> Take:
    start = (
        len(_clips()[_longest()][0])
        - _RESERVED_FRAMES
        + 20
        + (number * TAKE_FRAMES) % (_RESERVED_FRAMES - TAKE_FRAMES - 20)
    )
    return _natural(f"{HELD_OUT}_{number:02d}", _longest(), start, 1.0, np.zeros(3))


def _natural(name: str, clip: int, start: int, gain: float, turned_deg: np.ndarray) -> Take:
    scores, euler, shift = (part[start : start + TAKE_FRAMES] for part in _clips()[clip])
    expression = np.clip((scores - 0.02) * gain, 0, 1)
    look = {word: expression[:, [UNIT_NAMES.index(f"eyeLook{word}{side}") for side in ("Left", "Right")]]
            for word in ("In", "Out", "Up", "Down")}  # fmt: skip
    right = 0.5 * (look["Out"] - look["In"]) @ [1, -1]
    up = (look["Up"] - look["Down"]).mean(1)
    gaze = np.stack([right, up], 1) * _GAZE_DEG
    expression[:, [k for k, unit in enumerate(UNIT_NAMES) if unit.startswith("eyeLook")]] = 0  # as the gaze has it
    turn = np.clip(euler * gain + turned_deg, -_LIMIT_DEG, _LIMIT_DEG)
    return finish(name, expression, turn, np.clip(shift * 0.07, -_LIMIT_DM, _LIMIT_DM), gaze)


def finish(name: str, expression: np.ndarray, euler: np.ndarray, shift: np.ndarray, gaze: np.ndarray) -> Take:
    """The take, its lids following the gaze."""
    right, up = (gaze / _GAZE_DEG).T
    open_eyes = 1 - expression[:, [UNIT_NAMES.index("eyeBlinkLeft"), UNIT_NAMES.index("eyeBlinkRight")]]
    expression = expression.copy()
    for word, values in (("Up", (up, up)), ("Down", (-up, -up)), ("Out", (right, -right)), ("In", (-right, right))):
        for side, value, lid in zip(("Left", "Right"), values, open_eyes.T, strict=True):
            expression[:, UNIT_NAMES.index(f"eyeLook{word}{side}")] = np.clip(value, 0, 1) * lid
    return Take(name, expression.clip(0, 1), euler, shift, gaze)


def _with_blinks(rng: np.random.Generator, expression: np.ndarray) -> np.ndarray:
    blink = [UNIT_NAMES.index("eyeBlinkLeft"), UNIT_NAMES.index("eyeBlinkRight")]
    out, start = expression.copy(), int(rng.integers(4, TAKE_FRAMES - 10))
    closed = np.sin(np.linspace(0, np.pi, 7)) ** 0.7
    out[start : start + 7, blink] = np.maximum(out[start : start + 7, blink], closed[:, None])
    return out


def _path(every_s: float, draw: object) -> np.ndarray:
    """A smooth path through keys that recur about every so often; no overshoot."""
    keys = max(3, round(TAKE_FRAMES / FPS / every_s) + 1)
    times = np.linspace(0, TAKE_FRAMES - 1, keys)
    return PchipInterpolator(times, np.array([draw() for _ in range(keys)]))(np.arange(TAKE_FRAMES))  # type: ignore[operator]


def units_vector(weights: dict[str, float]) -> np.ndarray:
    """Strengths by name as a vector ``[52]``."""
    vector = np.zeros(len(UNIT_NAMES))
    for name, weight in weights.items():
        vector[UNIT_NAMES.index(name)] = weight
    return vector


@cache
def _clips() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Scores of units, Euler angles (degrees), translation (cm) of every clip."""
    file = np.load(Path(__file__).with_name("motion.npz"))
    names = sorted({key.split("_expression")[0] for key in file.files if key.endswith("_expression")})
    return [
        (file[f"{name}_expression"] / 255.0, file[f"{name}_euler_deg"].astype(float),
         file[f"{name}_translation_cm"].astype(float))
        for name in names
    ]  # fmt: skip


def _longest() -> int:
    return int(np.argmax([len(clip[0]) for clip in _clips()]))
