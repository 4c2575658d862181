"""Brows, lashes, stubble and beard: short hairs bound to the skin. Head coordinates, cm."""

from __future__ import annotations

import numpy as np

from offline.synthetic.blender.head import HeadModel, brow_line, smoothstep
from offline.synthetic.blender.person import Person
from offline.synthetic.blender.strands import Group, Roots, scatter, surface_hairs, unit


def grow_facial_hair(rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray) -> list[Group]:
    """Everything that grows on the face."""
    groups = [_brows(rng, head, person, shape), _lashes(rng, head, person, shape)]
    if person.beard > 0:
        groups.append(_beard(rng, head, person, shape))
    return groups


def _brows(rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray) -> Group:
    b = head.base[head.skin_triangles]
    front = head.skin_triangles[(b[:, :, 2].min(1) > 6.0) & (b[:, :, 1].min(1) > 3.9) & (b[:, :, 1].max(1) < 8)]
    line = brow_line(head.base[head.landmarks])
    width = np.interp(np.linspace(0, 1, 60), [0, 0.12, 0.45, 0.8, 1], np.array([0.24, 0.40, 0.42, 0.27, 0.10]))
    width = width * person.brow_width
    tangents = unit(np.gradient(line, axis=0))
    sides, directions, lengths = [], [], []
    for side in (-1, 1):

        def place(p: np.ndarray, side: int = side) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            q = p[:, :2] * [side, 1]
            k = ((q[:, None] - line[None]) ** 2).sum(-1).argmin(1)
            return k, (q - line[k])[:, 1] / width[k], np.linalg.norm(q - line[k], axis=1) / width[k]

        def density(p: np.ndarray, side: int = side) -> np.ndarray:
            k, _, d = place(p, side)
            return (
                smoothstep(1.3, 0.15, d)
                * (p[:, 0] * side > 0)
                * np.interp(k, [0, 6, 18, 50, 59], [0.05, 0.4, 1, 0.9, 0.5])
            )

        roots = scatter(rng, head, shape, person.brow_hairs // 2, density, front)
        k, height, _ = place(roots.on(head.base))
        s = k / 59.0
        upward = np.interp(s, [0, 0.12, 0.4, 1], [1.0, 0.75, 0.3, 0.1])
        upward = upward - 0.45 * height * np.interp(s, [0, 0.3, 1], [0.1, 1, 1])
        directions.append(np.stack([tangents[k, 0] * side, tangents[k, 1] + upward, 0 * s], 1))
        lengths.append(np.interp(s, [0, 0.2, 0.7, 1], [0.42, 0.62, 0.55, 0.36]) * rng.uniform(0.6, 1.15, len(s)))
        sides.append(roots)
    roots = Roots(np.concatenate([r.triangles for r in sides]), np.concatenate([r.weights for r in sides]))
    length = np.concatenate(lengths)
    s = surface_hairs(rng, shape, roots, np.concatenate(directions), length, np.full(len(length), 0.14), 6, 0.14, 0.2)
    radius = np.linspace(0.0095, 0.004, 6)[None]
    return Group("brows", s, radius, person.brow_melanin, 0.3, roots=roots, shape=shape)


def _lashes(rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray, points: int = 6) -> Group:
    """Hairs on the lash columns, gathered in little tufts."""
    vertices, weights, thickness = [], [], []
    for upper, count in ((True, person.upper_lashes), (False, person.lower_lashes)):
        cards = [lash.columns for lash in head.lashes if lash.upper == upper]
        for n in range(2 * count):
            columns = cards[n % len(cards)]
            rows = columns.shape[1] - 1
            root = rng.uniform(0.3, len(columns) - 1.3)
            tip = round(root / 1.1) * 1.1 * 0.45 + 0.55 * root + rng.normal(0, 0.25)
            tip = np.clip(tip, 0, len(columns) - 1.01)
            reach = person.lash_reach * rng.uniform(0.7, 1.05) * (1.0 if upper else 0.55)
            corners, shares = [], []
            for t in np.linspace(0, 1, points):
                x, y = root + (tip - root) * t, t * rows * reach
                i, j = min(int(x), len(columns) - 2), min(int(y), rows - 1)
                a, b = x - i, y - j
                corners.append([columns[i, j], columns[i + 1, j], columns[i, j + 1], columns[i + 1, j + 1]])
                shares.append([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b])
            vertices.append(corners)
            weights.append(shares)
            thickness.append(1.0 if upper else 0.55)
    at, share = np.array(vertices), np.array(weights)
    radius = np.linspace(0.015, 0.0035, points)[None] * np.array(thickness)[:, None]
    return Group("lashes", (shape[at] * share[..., None]).sum(2), radius, 0.97, 0.05, vertices=at, weights=share)


def _beard(rng: np.random.Generator, head: HeadModel, person: Person, shape: np.ndarray) -> Group:
    """Stubble, or a short beard."""
    weight = head.regions["beard"]
    grown = head.skin_triangles[weight[head.skin_triangles].max(1) > 0.02]
    near = head.base[: head.skin_vertices]
    known = (near[:, 1] < 5) & (near[:, 2] > 1)
    near, values = near[known], weight[known]

    def density(p: np.ndarray) -> np.ndarray:
        parts = [p[k : k + 1000] for k in range(0, len(p), 1000)]
        return np.concatenate([values[((q[:, None] - near[None]) ** 2).sum(-1).argmin(1)] for q in parts])

    full = person.beard > 1  # 0…1 is stubble, 1…2 a beard
    count = 9000 if full else int(11000 * person.beard)
    roots = scatter(rng, head, shape, count, density, grown)
    p = roots.on(head.base)
    direction = np.stack([0.15 * np.sign(p[:, 0]), np.full(count, -1.0), np.full(count, -0.1)], 1)
    if full:
        direction += roots.frames(shape)[:, 2] * 0.9
        length = rng.uniform(0.4, 1.0, count) * (person.beard - 0.55) * (0.45 + 0.55 * density(p))
        s = surface_hairs(rng, shape, roots, direction, length, np.full(count, 0.45), 5, 0.35, 0.3)
        radius = np.linspace(0.0095, 0.005, 5)[None]
    else:
        s = surface_hairs(
            rng, shape, roots, direction, rng.uniform(0.05, 0.15, count), np.full(count, 0.4), 3, 0.1, 0.35
        )
        radius = np.linspace(0.0048, 0.003, 3)[None]
    return Group("beard", s, radius, person.beard_melanin, max(0.35, person.gray_variety), roots=roots, shape=shape)
