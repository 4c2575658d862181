"""The appearance of synthetic people: skin, hair, eyes, clothes and light at random, and the brushes that draw them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from face.parameters import IDENTITY_SIZE

# Skin reflectance (linear RGB) from light to dark; a person's skin lies between two neighbors.
_SKIN = np.array([[0.84, 0.62, 0.50], [0.72, 0.48, 0.35], [0.50, 0.30, 0.20], [0.26, 0.14, 0.09], [0.14, 0.07, 0.05]])
_HAIR = np.array([[0.50, 0.36, 0.18], [0.20, 0.10, 0.05], [0.07, 0.04, 0.03], [0.02, 0.018, 0.016], [0.32, 0.10, 0.04]])
_IRIS = np.array([[0.20, 0.10, 0.04], [0.10, 0.05, 0.02], [0.16, 0.26, 0.34], [0.15, 0.24, 0.12], [0.28, 0.30, 0.30]])


@dataclass(frozen=True)
class Appearance:
    """Everything about a person but the shape: colors in linear RGB ``[3]``, light as direction and color."""

    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray
    key_direction: np.ndarray
    key_color: np.ndarray
    fill_color: np.ndarray
    backdrop_seed: int
    freckles: float
    hairline: float
    hair_thickness: float


def sample_identity(rng: np.random.Generator) -> np.ndarray:
    """A plausible identity ``[IDENTITY_SIZE]``: standard normal, cut at two deviations."""
    return np.clip(rng.normal(0, 0.8, IDENTITY_SIZE), -2, 2)


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Skin, hair, eyes, clothes and light at random."""
    tone = rng.uniform(0, len(_SKIN) - 1.001)
    low, part = int(tone), tone % 1
    skin = (_SKIN[low] * (1 - part) + _SKIN[low + 1] * part) * rng.normal(1, 0.04, 3)
    darker_iris = tone > 2
    angle, height = np.radians(rng.uniform(-60, 60)), np.radians(rng.uniform(15, 50))
    return Appearance(
        skin=skin,
        lips=skin * [0.98, 0.62, 0.64] + [0.03, 0, 0.01],
        hair=_HAIR[rng.choice([2, 3] if darker_iris else len(_HAIR))] * rng.uniform(0.8, 1.2),
        iris=_IRIS[rng.integers(0, 2 if darker_iris else len(_IRIS))],
        cloth=rng.uniform(0.02, 0.35) * rng.uniform(0.4, 1.0, 3),
        key_direction=np.array([np.sin(angle) * np.cos(height), np.sin(height), np.cos(angle) * np.cos(height)]),
        key_color=rng.uniform(1.5, 2.1) * np.array([1.0, rng.uniform(0.9, 1), rng.uniform(0.82, 1)]),
        fill_color=rng.uniform(0.35, 0.6) * np.array([rng.uniform(0.8, 1), 0.95, 1.0]),
        backdrop_seed=int(rng.integers(1 << 30)),
        freckles=rng.uniform(0, 0.12),
        hairline=rng.uniform(0.66, 0.84),
        hair_thickness=rng.uniform(0.06, 0.2),
    )


def value_noise(points: np.ndarray, frequency: float, seed: int) -> np.ndarray:  # points [N, 3]
    """Smooth noise 0…1 ``[N]`` float32 at 3-D points: trilinear interpolation of a random lattice."""
    size = 64
    lattice = np.random.default_rng(seed).random((size,) * 3).astype(np.float32)
    p = points * frequency
    base = np.floor(p).astype(int)
    f = (p - base).astype(np.float32)
    f = f * f * (3 - 2 * f)
    total = np.zeros(len(points), np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod([f[:, k] if corner[k] else 1 - f[:, k] for k in range(3)], axis=0)
        i = (base + corner) % size
        total += weight * lattice[i[:, 0], i[:, 1], i[:, 2]]
    return total


def inside_loop(points_xy: np.ndarray, loop_xy: np.ndarray, soft: float) -> np.ndarray:
    """Soft membership 0…1 ``[N]`` of points in a polygon, both in the model's x-y plane."""
    loop = loop_xy.astype(np.float32)
    distance = np.array([cv2.pointPolygonTest(loop, (float(x), float(y)), True) for x, y in points_xy])
    return np.clip(distance / soft + 0.5, 0, 1)


def smooth_loop(points: np.ndarray) -> np.ndarray:
    """A closed curve through control points, four times as many."""
    count = len(points)
    ring = np.fft.fft(points[:, 0] + 1j * points[:, 1])
    padded = np.zeros(4 * count, complex)
    padded[: count // 2] = ring[: count // 2]
    padded[-(count // 2) :] = ring[-(count // 2) :]
    dense = np.fft.ifft(padded) * 4
    return np.stack([dense.real, dense.imag], 1)


def smooth_line(points: np.ndarray) -> np.ndarray:
    """Points of an open curve, eight times as many."""
    at = np.linspace(0, len(points) - 1, 8 * len(points))
    return np.stack([np.interp(at, np.arange(len(points)), points[:, k]) for k in (0, 1)], 1)
