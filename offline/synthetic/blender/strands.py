"""Strands of hair: where they root, how they lie on the skull, how they follow the face. Head coordinates, cm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from offline.synthetic.blender.head import HeadModel, smoothstep

SKULL_MIDDLE = np.array([0.0, 5.0, 0.0])  # directions from here tell places on the scalp apart

Density = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Roots:
    """Places on the skin: triangles ``[n, 3]`` of vertices, and barycentric coordinates ``[n, 3]``."""

    triangles: np.ndarray
    weights: np.ndarray

    def on(self, vertices: np.ndarray) -> np.ndarray:  # [V, 3]
        """The places on a shape, ``[n, 3]``."""
        return (vertices[self.triangles] * self.weights[..., None]).sum(1)

    def frames(self, vertices: np.ndarray) -> np.ndarray:
        """Axes ``[n, 3, 3]`` (rows) of the skin there: along it, across it, out of it."""
        v = vertices[self.triangles]
        normal = unit(np.cross(v[:, 1] - v[:, 0], v[:, 2] - v[:, 0]))
        tangent = unit(v[:, 1] - v[:, 0])
        return np.stack([tangent, np.cross(normal, tangent), normal], 1)


@dataclass
class Group:
    """Strands that share a material.

    A group is bound to the skin (``roots``), to vertices (``vertices`` ``[n, k, 4]`` with ``weights``), or to neither:
    then it turns with the head.

    Attributes:
        strands: ``[n, k, 3]`` at rest.
        radius: ``[n, k]``, cm.
        melanin: 0…1.
        variety: of color from strand to strand.
    """

    name: str
    strands: np.ndarray
    radius: np.ndarray
    melanin: float
    variety: float = 0.3
    roots: Roots | None = None
    vertices: np.ndarray | None = None
    weights: np.ndarray | None = None
    shape: np.ndarray | None = None  # that ``strands`` were grown on, for groups with roots
    _local: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.radius = np.broadcast_to(self.radius, self.strands.shape[:2]).copy()
        if self.roots is not None and self.shape is not None:
            away = self.strands - self.roots.on(self.shape)[:, None]
            self._local = np.einsum("nkj,nij->nki", away, self.roots.frames(self.shape))

    @property
    def rigid(self) -> bool:
        """Whether the strands only turn with the head."""
        return self.roots is None and self.vertices is None

    def place(self, shape: np.ndarray) -> np.ndarray:  # [V, 3]
        """All points on a deformed face, ``[n, k, 3]``."""
        if self.roots is not None and self._local is not None:
            turned = np.einsum("nki,nij->nkj", self._local, self.roots.frames(shape))
            return self.roots.on(shape)[:, None] + turned
        if self.vertices is not None and self.weights is not None:
            return (shape[self.vertices] * self.weights[..., None]).sum(2)
        return self.strands


def unit(a: np.ndarray) -> np.ndarray:
    """Vectors of length 1."""
    return a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-9)


def scatter(rng: np.random.Generator, head: HeadModel, shape: np.ndarray, count: int, density: Density,
            triangles: np.ndarray | None = None) -> Roots:  # fmt: skip
    """Random places on the skin, as dense as a density 0…1 of places on the mean face says."""
    tri = head.skin_triangles if triangles is None else triangles
    v = shape[tri]
    area = np.linalg.norm(np.cross(v[:, 1] - v[:, 0], v[:, 2] - v[:, 0]), axis=1)
    middle = np.maximum(density(head.base[tri].mean(1)), 0.003)
    weight = area * middle
    weight[density(head.base[tri].reshape(-1, 3)).reshape(-1, 3).max(1) <= 0] = 0
    chosen, barycentric, have = [], [], 0
    while have < count:
        k = rng.choice(len(tri), count, p=weight / weight.sum())
        r, s = np.sqrt(rng.random(count)), rng.random(count)
        b = np.stack([1 - r, r * (1 - s), r * s], 1)
        there = density((head.base[tri[k]] * b[..., None]).sum(1))
        ok = rng.random(count) * 1.5 < there / middle[k]
        chosen.append(tri[k][ok])
        barycentric.append(b[ok])
        have += int(ok.sum())
    return Roots(np.concatenate(chosen)[:count], np.concatenate(barycentric)[:count])


class Skull:
    """The scalp as a height over directions from its middle: fast to project on."""

    def __init__(self, head: HeadModel, shape: np.ndarray, columns: int = 120, rows: int = 60) -> None:
        v = shape[: head.skin_vertices] - SKULL_MIDDLE
        ear = (np.abs(v[:, 0]) > 7.75) & (v[:, 1] < 2.4) & (v[:, 2] < 3.7) & (v[:, 2] > -4.2)
        keep = (v[:, 1] > -11) & ~ear & (v[:, 2] < 8.6)
        directions, radii = unit(v[keep]), np.linalg.norm(v[keep], axis=1)
        self._azimuth, self._elevation = np.linspace(-np.pi, np.pi, columns), np.linspace(-1.2, np.pi / 2, rows)
        a, e = np.meshgrid(self._azimuth, self._elevation)
        grid = np.stack([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], -1).reshape(-1, 3)
        table = np.zeros(len(grid))
        for k in range(0, len(grid), 600):
            w = np.exp((grid[k : k + 600] @ directions.T - 1) / 0.0016)
            table[k : k + 600] = (w * radii).sum(1) / np.maximum(w.sum(1), 1e-30)
        bad = ~(table > 3)
        table[bad] = np.median(table[~bad])
        self._table = table.reshape(rows, columns)

    def radius(self, d: np.ndarray) -> np.ndarray:  # [..., 3] of length 1
        """Distance of the scalp from the middle."""
        u = (np.arctan2(d[..., 0], d[..., 2]) + np.pi) / (2 * np.pi) * (len(self._azimuth) - 1)
        up = (np.clip(np.arcsin(np.clip(d[..., 1], -1, 1)), -1.2, np.pi / 2) + 1.2) / (np.pi / 2 + 1.2)
        v = up * (len(self._elevation) - 1)
        i, j = np.minimum(u.astype(int), len(self._azimuth) - 2), np.minimum(v.astype(int), len(self._elevation) - 2)
        fu, fv, t = u - i, v - j, self._table
        low = t[j, i] * (1 - fu) + t[j, i + 1] * fu
        return low * (1 - fv) + (t[j + 1, i] * (1 - fu) + t[j + 1, i + 1] * fu) * fv

    def above(self, points: np.ndarray) -> np.ndarray:
        """How far points ``[n, 3]`` of the skin stand above the map, which is smoother than the skin."""
        d = points - SKULL_MIDDLE
        return np.linalg.norm(d, axis=-1) - self.radius(unit(d))

    def on(self, points: np.ndarray, height: np.ndarray | float) -> np.ndarray:
        """Points moved radially to some height above the scalp."""
        d = unit(points - SKULL_MIDDLE)
        return SKULL_MIDDLE + d * (self.radius(d) + height)[..., None]


def wobble(rng: np.random.Generator, count: int, points: int, size: float, waves: int = 3) -> np.ndarray:
    """Smooth noise along strands ``[count, points, 3]``, zero at the root."""
    t = np.linspace(0, 1, points)[None, :, None]
    out = np.zeros((count, points, 3))
    for k in range(1, waves + 1):
        phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
        out += rng.normal(0, 1 / k, (count, 1, 3)) * np.sin(2 * np.pi * k * 0.6 * t + phase)
    out -= out[:, :1]
    return out * size * t**0.7


def leaders_of(rng: np.random.Generator, roots: np.ndarray, leaders: int) -> np.ndarray:
    """Some of the strands with roots ``[n, 3]`` lead others: of each the nearest leader's number, ``[n]``."""
    lead = rng.choice(len(roots), min(leaders, len(roots)), replace=False)
    nearest = np.concatenate([
        ((roots[k : k + 2000, None] - roots[lead][None]) ** 2).sum(-1).argmin(1) for k in range(0, len(roots), 2000)
    ])  # fmt: skip
    return lead[nearest]


def clump(rng: np.random.Generator, strands: np.ndarray, leader: np.ndarray, strength: float) -> np.ndarray:
    """Pull strands ``[n, k, 3]`` towards their leaders ``[n]``, more towards the tips."""
    t = np.linspace(0, 1, strands.shape[1])[None, :, None]
    own = rng.uniform(0.3, 1, (len(strands), 1, 1)) * strength
    return strands + (strands[leader] - strands) * own * smoothstep(0.02, 0.6, t)


def surface_hairs(
    rng: np.random.Generator, shape: np.ndarray, roots: Roots, direction: np.ndarray, length: np.ndarray,
    lift: np.ndarray, points: int = 5, bend: float = 0.0, jitter: float = 0.2,
) -> np.ndarray:  # fmt: skip
    """Short hairs ``[n, points, 3]`` lying on the skin.

    Args:
        rng: randomness.
        shape: ``[V, 3]`` of the person.
        roots: n places.
        direction: ``[n, 3]`` in which they lie.
        length: ``[n]``, cm.
        lift: ``[n]``, how far they stand off the skin, of their length.
        points: of each.
        bend: spread of their curl along the skin.
        jitter: spread of their direction.
    """
    normal = roots.frames(shape)[:, 2]
    direction = direction + rng.normal(0, jitter, direction.shape)
    along = unit(direction - (direction * normal).sum(1, keepdims=True) * normal)
    t = np.linspace(0, 1, points)[None, :, None]
    reach = length[:, None, None]
    curl = rng.normal(0, 1, (len(length), 1, 1)) * bend
    up = lift[:, None, None] * reach * np.sin(t * np.pi * 0.62) - 0.004
    side = np.cross(normal, along)
    return (
        roots.on(shape)[:, None]
        + along[:, None] * reach * t
        + normal[:, None] * up
        + side[:, None] * curl * reach * t**2
    )
