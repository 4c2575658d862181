"""What every head model offers the studio: geometry, face units, and regions on its skin.

Head coordinates: centimeters, x to the image's right, y up, z to the viewer, on a face as wide between the outer eye
corners as the scanned mean face (8.9 cm). The studio works in decimeters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Faces = list[list[int]]


@dataclass(frozen=True)
class Lashes:
    """Where one lid's lashes grow: columns of vertices from root to tip.

    Attributes:
        upper: whether this is the upper lid.
        columns: ``[C, L]`` int, vertices of the head, root to tip.
    """

    upper: bool
    columns: np.ndarray


@dataclass(frozen=True)
class HeadModel:
    """A head that can be shaped, posed and dressed with hair.

    Attributes:
        name: for messages.
        base: ``[V, 3]`` the mean face, on which regions and hairlines are placed.
        parts: faces by part: ``skin socket gums teeth tears eye_l eye_r`` (some may be empty).
        skin_vertices: ``S``; the first ``S`` vertices are the skin's.
        skin_uv: ``[corners, 2]`` texture coordinates of the skin's faces, in order; u may reach 2.
        vertex_uv: ``[S, 2]`` one of the texture coordinates of each skin vertex.
        units: ARKit unit to (vertices ``[n]``, displacement ``[n, 3]`` at full strength).
        identity: ``[K, V, 3]`` directions of identity, one standard deviation each.
        directions: displacement ``[V, 3]`` from female to male, from young to old, and of each ancestry.
        landmarks: ``[68]`` vertices of the iBUG landmarks.
        eyes: vertices of the left and the right eyeball (``l``, ``r``).
        lashes: of each lid.
        tooth_gap: ``[V]`` 0…1, how dark a tooth's vertex is.
    """

    name: str
    base: np.ndarray
    parts: Mapping[str, Faces]
    skin_vertices: int
    skin_uv: np.ndarray
    vertex_uv: np.ndarray
    units: Mapping[str, tuple[np.ndarray, np.ndarray]]
    identity: np.ndarray
    directions: Mapping[str, np.ndarray]
    landmarks: np.ndarray
    eyes: Mapping[str, np.ndarray]
    lashes: Sequence[Lashes]
    tooth_gap: np.ndarray

    def deform(self, shape: np.ndarray, units: Mapping[str, float]) -> np.ndarray:  # [V, 3]
        """A person's shape with face units added, ``[V, 3]``; units that the model lacks do nothing."""
        moved = shape.copy()
        for name, weight in units.items():
            if weight and name in self.units:
                vertices, displacement = self.units[name]
                moved[vertices] += weight * displacement
        return moved

    @cached_property
    def skin_triangles(self) -> np.ndarray:
        """``[T, 3]`` int, the skin's faces as fans."""
        return np.array([(f[0], f[k], f[k + 1]) for f in self.parts["skin"] for k in range(1, len(f) - 1)])

    @cached_property
    def regions(self) -> dict[str, np.ndarray]:
        """Weights 0…1 per skin vertex ``[S]``: lips, cheeks, ears, where a beard grows, and so on."""
        return _regions(self.base[: self.skin_vertices], self.base[self.landmarks])


def smoothstep(low: float, high: float, x: np.ndarray | float) -> np.ndarray:
    """0 below ``low``, 1 above ``high`` (or the other way round), smooth between."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def curve(points: np.ndarray | Sequence, count: int, closed: bool = False) -> np.ndarray:
    """``count`` points of the Catmull-Rom spline through points ``[k, d]``."""
    p = np.asarray(points, float)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    u = np.linspace(0, len(p) - 3, count, endpoint=not closed)
    i = np.minimum(u.astype(int), len(p) - 4)
    t = (u - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def distance_inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Signed distance ``[n]`` of points ``[n, 2]`` to a closed polygon ``[k, 2]``, positive inside."""
    out = np.full(len(points), np.inf)
    inside = np.zeros(len(points), bool)
    for p, q in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        edge = q - p
        t = np.clip(((points - p) @ edge) / (edge @ edge + 1e-12), 0, 1)
        out = np.minimum(out, np.linalg.norm(points - p - t[:, None] * edge, axis=1))
        crosses = (p[1] > points[:, 1]) != (q[1] > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            x = p[0] + (points[:, 1] - p[1]) * (q[0] - p[0]) / (q[1] - p[1])
        inside ^= crosses & (points[:, 0] < x)
    return np.where(inside, out, -out)


def brow_line(landmarks: np.ndarray) -> np.ndarray:
    """Middle line of a brow in the image plane, ``[60, 2]``, head to tail, for x > 0.

    The landmarks follow the brow's upper edge on the scans, some 9 mm above where the hairs grow.
    """
    points = landmarks[17:22, :2] * [-1, 1]
    return curve(points[::-1] + [[0.05, -0.86], [0, -0.94], [0.0, -1.0], [0.0, -0.94], [-0.1, -0.70]], 60)


def _regions(b: np.ndarray, lm: np.ndarray) -> dict[str, np.ndarray]:
    wide = np.abs(b[:, 0])

    def blob(px: float, py: float, pz: float, r: float) -> np.ndarray:
        return np.exp(-0.5 * (((wide - px) ** 2 + (b[:, 1] - py) ** 2 + (b[:, 2] - pz) ** 2) / r**2))

    front = b[:, 2] > 7.5
    depth = distance_inside(b[:, :2], curve(lm[48:60, :2], 96, True))
    lips = smoothstep(-0.10, 0.10, depth) * front
    lip_rim = np.exp(-0.5 * ((depth + 0.10) / 0.14) ** 2) * front
    ear = smoothstep(7.55, 8.1, wide) * smoothstep(-3.0, -1.5, b[:, 1]) * (b[:, 1] < 7.5) * (wide < 9.6) * (b[:, 2] < 4)
    cheeks = np.maximum(blob(4.3, 0.3, 8.6, 1.7), 0.7 * blob(5.8, 0.6, 6.5, 1.5))
    nose = np.maximum.reduce([blob(0, 0.3, 13.0, 0.95), blob(1.6, -0.4, 11.2, 0.8)])
    chin = blob(0, -6.4, 10.8, 1.0)
    lid_rim, crease = np.zeros(len(b)), np.zeros(len(b))
    for eye in (lm[36:42], lm[42:48]):
        outline = curve(eye[:, :2], 60, True)
        depth_eye = distance_inside(b[:, :2], outline)
        over = smoothstep(-0.1, 0.25, b[:, 1] - np.interp(b[:, 0], *np.sort(eye[[0, 3], :2], 0).T))
        crease = np.maximum(crease, np.exp(-0.5 * ((depth_eye + 0.42) / 0.10) ** 2) * over * (b[:, 2] > 7))
        lid_rim = np.maximum(lid_rim, np.exp(-0.5 * (depth_eye / 0.16) ** 2) * (b[:, 2] > 7))
    line = brow_line(lm)
    to_brow = np.sqrt(((np.stack([wide, b[:, 1]], 1)[:, None] - line[None]) ** 2).sum(-1))
    brow = (
        smoothstep(0.55, 0.1, to_brow.min(1))
        * (b[:, 2] > 6)
        * np.interp(to_brow.argmin(1), [0, 8, 40, 59], [0.3, 1, 1, 0.5])
    )
    t_zone = np.maximum.reduce([blob(0, 9, 10.5, 2.6), blob(0, 2.5, 12, 1.2), nose, 0.6 * chin])
    moustache = np.array([[-2.9, -3.6], [-2.6, -1.9], [-1.2, -1.45], [1.2, -1.45], [2.6, -1.9], [2.9, -3.6]])
    beard = np.maximum.reduce([
        smoothstep(-2.0, -4.5, b[:, 1] - 0.30 * (wide - 2) * (wide > 2)),
        smoothstep(0.3, 0.9, distance_inside(b[:, :2], moustache) + 0.45) * front,
        smoothstep(5.6, 6.8, wide) * smoothstep(3.5, 1.5, b[:, 1]) * (b[:, 2] > 2.4),
    ])  # fmt: skip
    beard *= (
        smoothstep(-10.5, -7.8, b[:, 1] + 0.1 * b[:, 2]) * (1 - smoothstep(0, 0.3, lips)) * (1 - ear) * (b[:, 2] > 2.0)
    )
    beard *= (b[:, 1] < -1.0) | (wide > 5.6)
    freckled = np.clip(np.maximum(blob(3.6, 1.0, 9.6, 2.0), blob(0, 1.8, 12, 1.6)) + 0.3 * (b[:, 2] > 4), 0, 1)
    return dict(
        lips=lips, lip_rim=lip_rim, ear=ear, cheeks=cheeks, nose=nose, chin=chin, under_eye=blob(2.9, 2.2, 9.6, 0.75),
        lid=blob(3.1, 4.2, 9.6, 0.62), lid_rim=lid_rim, crease=crease, brow=brow, t_zone=t_zone, beard=beard,
        freckled=freckled, nostril=np.maximum(blob(0.75, -0.75, 11.7, 0.35), 0), hollow=blob(5.2, -2.2, 7.6, 1.6),
    )  # fmt: skip
