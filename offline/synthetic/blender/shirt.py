"""A crew neck: rings around the neck, from the inside of the collar over the shoulders. Head coordinates, cm."""

from __future__ import annotations

import numpy as np

from offline.synthetic.blender.head import Faces, HeadModel

_AROUND = 72
_NECK_CM = -12.1  # height of the collar in the middle of the neck
_LINING_CM, _COLLAR_CM = 1.8, 0.5  # how deep one sees into the collar; within its thickness


def above_collar(v: np.ndarray, collar: float) -> np.ndarray:  # [n, 3]
    """Height above the plane of the collar, ``[n]``."""
    return v[:, 1] - (_NECK_CM + collar - 0.30 * v[:, 2])


def under_shirt(head: HeadModel, shape: np.ndarray, collar: float) -> np.ndarray:
    """Which skin vertices the shirt hides, ``[S]`` bool: deep in the collar, or low and further out than it."""
    skin = shape[: head.skin_vertices]
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    azimuth, radius = _polar(skin)
    ring = np.interp(azimuth, angle, _neck_radius(head, shape, collar, angle), period=2 * np.pi)
    height = above_collar(skin, collar)
    return (height < -_LINING_CM) | ((height < 0) & (radius > ring + _COLLAR_CM))


def make_shirt(head: HeadModel, shape: np.ndarray, collar: float) -> tuple[np.ndarray, Faces, np.ndarray]:
    """Vertices ``[n, 3]``, faces, and coordinates of the weave ``[n, 3]``."""
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)  # 0: front
    ring = _neck_radius(head, shape, collar, angle)
    s, c = np.sin(angle), np.cos(angle)
    side = np.abs(s) ** 1.3

    def at(out: float, down: float) -> np.ndarray:
        r = ring + out + 0.34 * side * (out > 0.2)
        x, z = r * s, r * c - 1.0
        return np.stack([x, _NECK_CM + collar - 0.30 * z - down, z], 1)

    rings = [
        at(-0.08, 0.9),
        at(0.06, 0.0),
        at(0.26, -0.22),
        at(0.52, -0.1),
        at(0.62, 0.5),
        at(0.62, 1.3),
        at(0.55, 1.7),
        at(0.75, 2.0),
    ]
    for t in np.linspace(0.1, 1, 12):
        p = at(0.75, 2.0)
        p[:, 0] += s * side * 15.5 * t
        p[:, 2] += c * (1 - side) * 3.5 * t * (1 - 0.4 * (c < 0))
        p[:, 1] -= side * (4.6 * t + 4.0 * t**4) + (1 - side) * 14 * t - side * (1 - side) * 2.0 * t
        rings.append(p)
    vertices = np.concatenate(rings)
    n = _AROUND
    faces = [
        [k * n + i, k * n + (i + 1) % n, (k + 1) * n + (i + 1) % n, (k + 1) * n + i]
        for k in range(len(rings) - 1) for i in range(n)
    ]  # fmt: skip
    # A stitch's texture holds 8 wales; about 3 mm each, without a seam behind.
    down = np.concatenate(
        [[0.0], np.cumsum([np.linalg.norm(b - a, axis=1).mean() for a, b in zip(rings, rings[1:], strict=False)])]
    )
    weave = np.stack([np.tile(np.minimum(angle, 2 * np.pi - angle) * 3.4, len(rings)), np.repeat(down, n) / 2.6,
                      np.zeros(len(vertices))], 1)  # fmt: skip
    return vertices, faces, weave


def _polar(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth (0: front) and distance from the neck's axis."""
    return np.arctan2(points[:, 0], points[:, 2] + 1.0), np.hypot(points[:, 0], points[:, 2] + 1.0)


def _neck_radius(head: HeadModel, shape: np.ndarray, collar: float, angle: np.ndarray) -> np.ndarray:
    """Radius of the neck at the collar, at angles ``[n]``."""
    neck = shape[: head.skin_vertices]
    azimuth, radius = _polar(neck[abs(above_collar(neck, collar)) < 0.6])
    away = np.angle(np.exp(1j * (azimuth[None] - angle[:, None])))
    weight = np.exp(-0.5 * (away / 0.12) ** 2)
    return (weight * radius).sum(1) / weight.sum(1)
