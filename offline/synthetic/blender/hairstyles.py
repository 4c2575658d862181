"""Hair of the scalp: pulled back, short, curly or none, grown strand by strand. Head coordinates, cm."""

from __future__ import annotations

import numpy as np

from offline.synthetic.blender.head import HeadModel, curve, smoothstep
from offline.synthetic.blender.person import Person
from offline.synthetic.blender.strands import (
    SKULL_MIDDLE,
    Group,
    Skull,
    clump,
    leaders_of,
    scatter,
    surface_hairs,
    unit,
    wobble,
)

# From the middle of the forehead over temple, ear and neck to the nape: points on the mean face.
_HAIRLINES = {
    "round": [(0, 10.5, 9.2), (2.6, 10.4, 8.8), (4.6, 9.6, 7.7), (5.7, 7.8, 6.8), (6.5, 6.0, 5.9), (7.0, 4.4, 5.0),
              (7.3, 3.2, 3.5), (7.6, 3.5, 1.8), (7.8, 3.9, -0.2), (7.4, 1.0, -3.0), (5.6, -3.5, -6.0), (3, -5.0, -7.0),
              (0, -5.2, -7.4)],
    "angular": [(0, 11.6, 8.5), (3, 11.7, 7.6), (5.0, 10.6, 6.2), (5.9, 8.6, 5.8), (6.7, 6.3, 5.0), (7.2, 3.9, 3.9),
                (7.4, 1.6, 3.0), (7.5, 4.0, 1.7), (7.7, 4.4, -0.2), (7.4, 1.2, -3.0), (5.6, -4.5, -6.0),
                (3, -6.0, -6.7),
                (0, -6.2, -7.0)],
    "receding": [(0, 12.6, 7.6), (3, 13.2, 5.0), (4.6, 12.4, 3.8), (6.0, 10.0, 3.9), (6.9, 6.8, 4.0), (7.2, 3.9, 3.6),
                 (7.4, 1.6, 3.0), (7.5, 4.0, 1.7), (7.7, 4.4, -0.2), (7.4, 1.2, -3.0), (5.6, -4.5, -6.0),
                 (3, -6.0, -6.7),
                 (0, -6.2, -7.0)],
}  # fmt: skip
_PARTING = 2.3  # cm to the image's right
_SHADES = (0.74, 0.88, 1.0, 1.12)  # melanin of locks, of the person's
_THICK_CM = 0.75  # of hair that is combed back


def scalp_weight(line: str, points: np.ndarray, low: float = -0.1, high: float = 1.1) -> np.ndarray:
    """1 on the hairy scalp, 0 on the face; between, over about a centimeter, the soft hairline. ``[n]``."""
    p = np.array(_HAIRLINES[line], float) - SKULL_MIDDLE
    azimuth, height = np.arctan2(np.abs(p[:, 0]), p[:, 2]), np.arctan2(p[:, 1], np.hypot(p[:, 0], p[:, 2]))
    q = points - SKULL_MIDDLE
    a, e = np.arctan2(np.abs(q[:, 0]), q[:, 2]), np.arctan2(q[:, 1], np.hypot(q[:, 0], q[:, 2]))
    # No hairline is a smooth curve, nor the same on both sides.
    ragged = (
        0.20 * np.sin(q[:, 0] * 2.3 + 1) + 0.14 * np.sin(q[:, 0] * 5.1 + q[:, 2] * 3) + 0.10 * np.sin(q[:, 0] * 11.3)
    )
    ear = (np.abs(q[:, 0]) > 7.75) & (q[:, 1] < -1.3) & (q[:, 1] > -8) & (q[:, 2] < 3.5) & (q[:, 2] > -4)
    return smoothstep(low, high, (e - np.interp(a, azimuth, height)) * 9.0 + ragged) * ~ear


def grow_hair(rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray) -> list[Group]:
    """All hair of a person's scalp."""
    if person.hair == "bald":
        return []
    skull = Skull(head, shape)
    groups = {"pulled back": _pulled_back, "short": _short, "curly": _curly}[person.hair](
        rng, head, person, shape, skull
    )
    return [*groups, _baby_hairs(rng, head, person, shape)]


def _pulled_back(
    rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray, skull: Skull, points: int = 22
) -> list[Group]:
    """Parted off the middle and gathered in a low knot behind."""
    line, count = person.hairline, person.strands
    knot = SKULL_MIDDLE + np.array([0, -2.6, -11.2])

    def density(p: np.ndarray) -> np.ndarray:
        share = 0.6 + 0.4 * smoothstep(-8, -3, p[:, 2])  # fewer where the camera never looks
        return scalp_weight(line, p, -0.8, 0.9) ** 1.3 * share

    roots = scatter(rng, head, shape, count, density)
    p = roots.on(shape)
    inside = scalp_weight(line, roots.on(head.base), -0.6, 2.0)
    leader = leaders_of(rng, p, 1800)
    layer = 0.5 * rng.beta(1.5, 1.3, count) + 0.5 * rng.random(count)[leader]  # locks lie above one another
    above = skull.above(p)
    goal = unit(knot - SKULL_MIDDLE)
    path, traveled = [p + 0.02 * unit(p - SKULL_MIDDLE)], np.zeros(count)
    for k in range(1, points):
        d = unit(p - SKULL_MIDDLE)
        ahead = np.arccos(np.clip(d @ goal, -1, 1)) * skull.radius(d)
        step = np.maximum(ahead - 1.2, 0.05) / (points - k)
        traveled = traveled + step
        # Flat at the root, lower in the parting and towards the knot.
        thick = _THICK_CM * (1 - 0.5 * smoothstep(5.0, 7.0, np.abs(p[:, 0])) * smoothstep(-4, 0, p[:, 2]))
        height = 0.10 * (1 - np.exp(-traveled / 0.4)) + layer * thick * (1 - np.exp(-traveled / 2.6)) * (
            1 - 0.4 * (k / (points - 1)) ** 3
        )
        parting = np.exp(-(((p[:, 0] - _PARTING) / 0.7) ** 2)) * smoothstep(0, 3, p[:, 2]) * 0.3
        p = skull.on(p + _combed(p, d, knot) * step[:, None], height * (1 - parting) + above * np.exp(-traveled / 1.5))
        path.append(p)
    s = clump(rng, np.stack(path, 1), leader, 0.75)
    s += wobble(rng, count, points, 0.05) + wobble(rng, count, points, 0.008, 8)
    loose = rng.random(count) < 0.012
    lift = np.linspace(0, 1, points)[None, :, None] ** 1.3
    stray = unit(s - SKULL_MIDDLE) * rng.uniform(0.1, 0.6, (count, 1, 1)) * lift + wobble(rng, count, points, 0.3)
    s[loose] += stray[loose]
    thick = (0.018 + 0.014 * rng.random((count, 1))) * (0.45 + 0.55 * inside[:, None])
    taper = np.minimum(1, 0.6 + 4 * np.linspace(0, 1, points)) * np.linspace(1, 0.8, points)
    radius = taper[None] * thick
    bun = _knot(rng, knot)
    # Locks differ in color, or the whole looks like felt.
    shade = leader % len(_SHADES)
    groups = [
        *(
            Group(f"hair {k}", s[shade == k], radius[shade == k], person.melanin * tone, person.gray_variety)
            for k, tone in enumerate(_SHADES)
        ),
        Group("knot", bun, np.full(bun.shape[:2], 0.016), person.melanin, person.gray_variety),
    ]
    if person.locks:
        w = _locks(rng, person.locks)
        groups.append(
            Group("locks", w, np.linspace(0.014, 0.006, w.shape[1])[None], person.melanin, person.gray_variety)
        )
    return groups


def _combed(p: np.ndarray, d: np.ndarray, knot: np.ndarray) -> np.ndarray:
    """Directions ``[n, 3]`` along the scalp: from the parting aside and back, over the ears, to the knot."""
    count = len(p)
    lateral = smoothstep(3.5, 6.5, np.abs(p[:, 0]))
    over_ear = np.stack([np.sign(p[:, 0]) * 7.6, np.full(count, 7.2), np.full(count, -3.0)], 1)
    w = (lateral * smoothstep(-2.5, 1.0, p[:, 2]))[:, None]
    to = unit(knot - p) * (1 - w) + unit(over_ear - p) * w
    top = np.exp(-(((p[:, 0] - _PARTING) / 2.4) ** 2)) * smoothstep(-4, 2, p[:, 2]) * smoothstep(8, 11, p[:, 1])
    side = np.where(p[:, 0] > _PARTING, 1.0, -1.0)
    # The fringe is combed up and outwards before it goes back.
    spread = 0.45 * smoothstep(4, 9, p[:, 2]) * (1 - lateral)
    fringe = np.stack([np.sign(p[:, 0] - _PARTING) * 0.5, np.full(count, 0.6), np.full(count, -0.3)], 1)
    to = to + (top * 0.75 * side)[:, None] * [1, 0, 0] + spread[:, None] * fringe
    return unit(to - (to * d).sum(1, keepdims=True) * d)


def _knot(rng: np.random.Generator, middle: np.ndarray, count: int = 3200, points: int = 16) -> np.ndarray:
    """A bun: strands wound around a ball, ``[count, points, 3]``."""
    axis = unit(rng.normal(0, 0.35, (count, 3)) + rng.choice([-1, 1], (count, 1)) * [0.15, 0.5, 0.9])
    start = unit(np.cross(axis, rng.normal(size=(count, 3))))
    other = np.cross(axis, start)
    sweep = np.linspace(0, 1, points)[None, :, None] * rng.uniform(1.2, 3.2, (count, 1, 1))
    sweep = sweep + rng.uniform(0, 6.28, (count, 1, 1))
    tilt = rng.normal(0, 0.55, (count, 1, 1))
    around = np.cos(sweep) * start[:, None] + np.sin(sweep) * other[:, None]
    d = around * np.cos(tilt) + axis[:, None] * np.sin(tilt)
    r = 2.7 * (0.8 + 0.25 * rng.random((count, 1, 1)) ** 0.5)
    return middle + d * r * [1.15, 1.0, 0.8] + wobble(rng, count, points, 0.12)


def _locks(rng: np.random.Generator, locks: tuple, points: int = 18) -> np.ndarray:
    """Loose locks: each a path of points, a number of strands and how far they fan out."""
    out = []
    t = np.linspace(0, 1, points)
    for path, number, spread in locks:
        fan = rng.normal(0, spread, (number, 1, 3)) * t[None, :, None] ** 1.5
        root = rng.normal(0, 0.35, (number, 1, 3)) * [0.3, 1.0, 1.0] * (1 - 0.6 * t[None, :, None])
        whole = curve(path, points)[None] + root + fan + wobble(rng, number, points, 0.16)
        for strand, length in zip(whole, rng.uniform(0.55, 1.0, number), strict=True):
            out.append(np.stack([np.interp(t * length, t, strand[:, axis]) for axis in range(3)], 1))
    return np.array(out)


def _short(
    rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray, skull: Skull, points: int = 9
) -> list[Group]:
    """A short cut: longer on top and swept aside, short at the sides and the neck."""
    line, count = person.hairline, person.strands

    def density(p: np.ndarray) -> np.ndarray:
        return scalp_weight(line, p, -0.4, 1.6) ** 1.2 * (0.3 + 0.7 * scalp_weight(line, p, 0.3, 2.2))

    roots = scatter(rng, head, shape, count, density)
    p = roots.on(shape)
    d = unit(p - SKULL_MIDDLE)
    top, front = smoothstep(0.45, 0.85, d[:, 1]), smoothstep(0, 7, p[:, 2])
    length = 0.9 + 0.9 * smoothstep(-0.1, 0.6, d[:, 1]) + person.hair_length * (3.0 * top + 0.8 * top * front)
    length = length * rng.uniform(0.75, 1.1, count)
    length *= 0.5 + 0.5 * scalp_weight(line, roots.on(head.base), 0, 2.0)
    zero = np.zeros(count)
    sweep = np.stack([zero + person.sweep, zero + 0.25, 0.1 - 0.75 * front], 1) * top[:, None]  # aside, up and back
    fall = np.stack([zero, zero - 0.8, zero - 0.55], 1) * (1 - top)[:, None]  # sides lie down and back
    flow = sweep + fall + rng.normal(0, 0.13, (count, 3))
    lift = 0.55 + 0.35 * top * front + rng.normal(0, 0.08, count)
    path, height, above = [p], zero, skull.above(p)
    for k in range(1, points):
        d = unit(p - SKULL_MIDDLE)
        along = unit(flow - (flow * d).sum(1, keepdims=True) * d)
        rise = np.clip(lift * (1 - 1.15 * k / (points - 1)), -0.3, 0.95)
        step = length / (points - 1)
        height = np.maximum(height + step * rise, 0.03)
        p = skull.on(p + along * (step * np.sqrt(1 - np.minimum(rise**2, 0.95)))[:, None], height + above)
        path.append(p)
    s = clump(rng, np.stack(path, 1), leaders_of(rng, path[0], 1500), 0.6)
    s += wobble(rng, count, points, 0.06) + wobble(rng, count, points, 0.03, 6)
    radius = np.linspace(1, 0.45, points)[None] * (0.012 + 0.006 * rng.random((count, 1)))
    return [Group("hair", s, radius, person.melanin, person.gray_variety)]


def _curly(
    rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray, skull: Skull, points: int = 22
) -> list[Group]:
    """Curls: every strand winds around a leader that grows outwards and falls a little."""
    line, count = person.hairline, person.strands
    roots = scatter(rng, head, shape, count, lambda p: scalp_weight(line, p, -0.4, 1.4))
    p = roots.on(shape)
    d = unit(p - SKULL_MIDDLE)
    edge = scalp_weight(line, roots.on(head.base), -0.2, 2.5)
    t = np.linspace(0, 1, points)[None, :, None]
    length = person.hair_length * (2.6 + 1.6 * smoothstep(0.2, 0.9, d[:, 1])) * rng.uniform(0.7, 1.1, count)
    length *= (0.35 + 0.65 * edge) * (0.6 + 0.4 * smoothstep(-0.5, 0.4, d[:, 1]))
    grow = unit(
        d + [0, -0.15, -0.1] + rng.normal(0, 0.2, (count, 3)) - 0.35 * smoothstep(5, 9, p[:, 2])[:, None] * [0, 0, 1]
    )
    s = (
        p[:, None]
        + grow[:, None] * length[:, None, None] * t
        + np.array([0, -1, 0]) * (0.16 * length[:, None, None] * t**2)
    )
    leaders = clump(rng, s, leaders_of(rng, p, 1300), 0.9)
    first = unit(np.cross(grow, rng.normal(size=(count, 3))))
    second = np.cross(grow, first)
    # Neighbors wind alike: the phase comes from the place, not from the strand.
    phase = np.sin(p @ [2.1, 1.7, 2.9]) * 3 + np.cos(p @ [3.3, -2.2, 1.1]) * 3 + rng.normal(0, 0.5, count)
    turns = person.curl * length
    angle = phase[:, None, None] + 2 * np.pi * turns[:, None, None] * t
    wind = np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None]
    s = leaders + wind * (0.28 * smoothstep(0, 0.35, t)) + wobble(rng, count, points, 0.12)
    radius = np.linspace(1, 0.7, points)[None] * (0.012 + 0.005 * rng.random((count, 1)))
    return [Group("hair", s, radius, person.melanin, person.gray_variety)]


def _baby_hairs(rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray) -> Group:
    """Short fine hairs that soften the hairline."""
    back = person.hair == "pulled back"
    count, reach = (3600, (0.8, 2.8)) if back else (1400, (0.35, 1.1))

    def density(p: np.ndarray) -> np.ndarray:
        inside = 1 - scalp_weight(person.hairline, p, 0.7, 2.4)
        return scalp_weight(person.hairline, p, -1.0, 1.0) * inside * (p[:, 1] > 1)

    roots = scatter(rng, head, shape, count, density)
    p = roots.on(shape)
    if back:
        aside = p[:, 0] - _PARTING
        flow = np.stack([np.sign(aside) * np.interp(np.abs(aside), [0, 1.5, 6], [0.3, 1, 0.5]),
                         np.interp(p[:, 1], [6, 11], [0.1, 0.8]), np.full(count, -0.8)], 1)  # fmt: skip
    else:
        flow = np.stack([np.full(count, 0.4), np.interp(p[:, 1], [6, 11], [-0.8, 0.8]), np.full(count, -0.4)], 1)
    grown = scalp_weight(person.hairline, roots.on(head.base), -0.8, 0.8)
    length = rng.uniform(*reach, count) * (0.3 + 0.7 * grown)
    s = surface_hairs(rng, shape, roots, flow, length, rng.uniform(0.03, 0.2, count), 7, 0.2, 0.2)
    radius = np.linspace(0.005, 0.002, 7)[None]
    return Group("baby", s, radius, person.melanin * 0.8, roots=roots, shape=shape)
