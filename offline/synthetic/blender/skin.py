"""A person's skin: colors of regions per vertex, and fine detail as images in texture coordinates.

Baked once a person: procedural noise evaluated at every sample doubled the time a frame took.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from offline.synthetic.blender.hairstyles import scalp_weight
from offline.synthetic.blender.head import HeadModel, curve
from offline.synthetic.blender.person import Person

_TILE = 1024  # px for a texture unit, about 0.3 mm each; two units wide

# Lines of the skin on the mean face, cm, for x ≥ 0: paths, width (px), depth.
_FOLDS = (
    ([(1.75, 0.0, 11.2), (2.6, -1.3, 10.6), (3.15, -2.6, 10.0), (3.3, -3.5, 9.6)], 5.0, 0.9),  # nose to mouth
    ([(1.9, 2.6, 10.0), (2.6, 2.0, 9.9), (3.4, 2.0, 9.5)], 2.6, 0.5),  # below the eye
)
_CROWS_FEET = (
    ([(4.75, 3.6, 8.2), (5.4, 4.1, 7.6)], 2.6, 0.5),
    ([(4.8, 3.3, 8.2), (5.6, 3.2, 7.4)], 2.6, 0.5),
    ([(4.7, 3.0, 8.3), (5.4, 2.5, 7.7)], 2.6, 0.5),
)
_FOREHEAD = (
    ([(0.0, 7.6, 11.0), (2.4, 7.9, 10.4), (4.6, 7.6, 9.0)], 2.6, 0.45),
    ([(0.0, 8.7, 10.9), (2.4, 9.0, 10.2), (4.4, 8.7, 9.0)], 2.6, 0.4),
    ([(0.0, 9.8, 10.5), (2.2, 10.0, 9.9), (3.8, 9.7, 9.0)], 2.6, 0.3),
)
_FURROWS = (([(0.45, 4.6, 10.9), (0.55, 5.6, 11.0), (0.7, 6.4, 10.9)], 2.6, 0.9),)


def vertex_colors(head: HeadModel, person: Person) -> np.ndarray:
    """Skin color of each vertex, ``[V, 4]`` linear RGBA."""
    r = head.regions
    base = np.tile(np.array(person.tone), (head.skin_vertices, 1))

    def tint(weight: np.ndarray, factor: Sequence[float] | np.ndarray) -> None:
        nonlocal base
        base = base * (1 + np.clip(weight, 0, 1)[:, None] * (np.array(factor) - 1))

    tint(r["cheeks"] * 0.65 * person.flush, (1.05, 0.74, 0.72))
    tint(r["nose"] * 0.5 * person.flush, (1.0, 0.76, 0.72))
    tint(r["ear"] * 0.4, (1.0, 0.82, 0.80))
    tint(r["chin"] * 0.5, (1.0, 0.86, 0.84))
    tint(r["hollow"] * 0.35, (0.90, 0.86, 0.84))
    tint(r["under_eye"] * (0.45 + 0.4 * person.wrinkles), (0.84, 0.74, 0.78))
    tint(r["lid"] * person.lid, (0.82, 0.68, 0.66))
    tint(r["lid_rim"] * (0.75 - 0.35 * person.male), (0.42, 0.30, 0.28))
    tint(r["crease"] * (0.9 - 0.3 * person.male), (0.58, 0.46, 0.43))
    tint(r["nostril"] * 0.6, (0.60, 0.45, 0.42))
    tint(r["t_zone"] * 0.3, (1.03, 1.02, 0.97))
    tint(r["lip_rim"] * 0.35, (1.0, 0.82, 0.80))
    tint(r["brow"] * 0.6, np.array([0.55, 0.47, 0.43]))
    if person.beard:
        tint(r["beard"] * min(person.beard, 1) * 0.8, (0.62, 0.64, 0.68))
    if person.hair != "bald":
        scalp = scalp_weight(person.hairline, head.base[: head.skin_vertices], -0.7, 1.5)
        base = base + (scalp * 0.92)[:, None] * (np.array(person.hair_color) - base)
    base = base + r["lips"][:, None] * (np.array(person.lip_tone) - base)
    colors = np.ones((len(head.base), 4))
    colors[: head.skin_vertices, :3] = np.clip(base, 0, 1)
    return colors


def detail_images(head: HeadModel, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Fine detail in texture coordinates, both ``[1024, 2048, 4]`` float32, row 0 at v = 0.

    Returns:
        What the color is multiplied by (RGB), with freckles in alpha; and heights: skin, lips, brows raised, smile
        and frown.
    """
    rng = np.random.default_rng(person.seed + 1)
    shape = (_TILE, 2 * _TILE)

    def noise(sigma: float, along: float = 1.0) -> np.ndarray:
        """Smooth noise of spread 1; ``along`` stretches it up and down."""
        coarse = 4 if sigma >= 6 else 1  # what is smooth needs no fine grid
        white = rng.standard_normal((shape[0] // coarse, shape[1] // coarse)).astype(np.float32)
        smooth = gaussian_filter(white, (sigma * along / coarse, sigma / coarse), mode="wrap")
        smooth = zoom(smooth, coarse, order=1, mode="grid-wrap", grid_mode=True) if coarse > 1 else smooth
        return smooth / smooth.std()

    mottle = 0.018 * noise(24) + 0.014 * noise(7) + 0.020 * noise(2.2)
    redness = 0.020 * noise(16) + 0.016 * noise(4)
    color = np.stack([1 + mottle + 0.2 * redness, 1 + mottle - redness, 1 + mottle - 1.1 * redness], -1)
    spots = gaussian_filter(
        (rng.random(shape) < 0.0011).astype(np.float32) * rng.uniform(0.3, 1, shape), 1.7, mode="wrap"
    )
    freckles = np.clip(spots * 14, 0, 1)
    for _ in range(int(rng.integers(1, 5))):  # moles, on the face's half of the image
        row, column = rng.integers(_TILE // 4, 3 * _TILE // 4, 2)
        y, x = np.mgrid[-6:7, -6:7]
        dark = np.exp(-0.5 * ((x**2 + y**2) / rng.uniform(1.6, 3.0) ** 2) ** 1.5)[..., None]
        color[row - 6 : row + 7, column - 6 : column + 7] *= 1 - dark * [0.55, 0.68, 0.72]
    pores = noise(0.9) - noise(1.8)
    skin = 0.45 * np.minimum(pores, 0.6) + 0.15 * noise(1.8) + 0.30 * noise(7)
    lips = 0.30 * noise(1.5, 4.7) + 0.25 * noise(2.0)
    forehead, crows_feet = _lines(head, _FOREHEAD), _lines(head, _CROWS_FEET)
    skin -= 5.0 * person.wrinkles * np.maximum(np.maximum(forehead, crows_feet), _lines(head, _FOLDS))
    heights = np.stack([skin, lips, -6.0 * forehead, -4.0 * crows_feet], -1)
    return (np.dstack([color, freckles]).astype(np.float32), heights.astype(np.float32))


def frown_lines(head: HeadModel) -> np.ndarray:
    """Heights of the furrows between lowered brows, ``[1024, 2048]`` float32."""
    return (-6.0 * _lines(head, _FURROWS)).astype(np.float32)


def _lines(head: HeadModel, lines: Sequence) -> np.ndarray:
    """Furrows along paths on the mean face, 0…1 of the deepest, ``[1024, 2048]``."""
    drawn: dict[float, np.ndarray] = {}
    skin = head.base[: head.skin_vertices]
    for path, width, depth in lines:
        image = drawn.setdefault(width, np.zeros((_TILE, 2 * _TILE), np.float32))
        for side in (1, -1):
            points = curve(np.array(path) * [side, 1, 1], 160)
            distance = ((points[:, None] - skin[None]) ** 2).sum(-1)
            near = np.argpartition(distance, 4, axis=1)[:, :4]
            w = 1 / (np.take_along_axis(distance, near, 1) + 1e-3)
            uv = (head.vertex_uv[near] * (w / w.sum(1, keepdims=True))[..., None]).sum(1)
            fade = depth * np.sin(np.linspace(0.12, np.pi - 0.12, len(points)))
            column, row = (uv * _TILE).astype(int).T
            np.maximum.at(image, (row.clip(0, _TILE - 1), column.clip(0, 2 * _TILE - 1)), fade.astype(np.float32))
    # A line one px wide keeps this share of its height when it is blurred.
    return sum(gaussian_filter(image, width) * width * np.sqrt(2 * np.pi) for width, image in drawn.items())
