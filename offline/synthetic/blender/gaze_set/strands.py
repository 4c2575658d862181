"""Hair cards to strands: a strand follows one column of a card's UV map from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offline.synthetic.blender.gaze_set.proxies import Proxy

_MAP = 1024  # texels of the UV map
_SHORTEST = 24  # texels of a column that bears a strand
_JITTER_DM, _DEPTH_DM, _LIFT_DM = 0.018, 0.06, 0.03


@dataclass(frozen=True)
class Strands:
    """Where hair grows on a proxy.

    Attributes:
        corners: ``[N, P, 3]`` int, proxy vertices about each point of each strand.
        weights: ``[N, P, 3]`` float64, barycentric.
        offset: ``[N]`` float64, dm away from the head.
        noise: ``[N, P, 3]`` float64, dm.
    """

    corners: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    noise: np.ndarray

    def points(self, vertices: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """Points ``[N, P, 3]`` for the proxy's vertices ``[V, 3]``, lifted away from the head's ``middle`` ``[3]``."""
        on_card = (vertices[self.corners] * self.weights[..., None]).sum(2)
        outwards = on_card - middle
        outwards /= np.linalg.norm(outwards, axis=-1, keepdims=True)
        return on_card + outwards * self.offset[:, None, None] + self.noise


def grow(proxy: Proxy, count: int, points: int, seed: int = 0) -> Strands:
    """Strands of some points each on a proxy's cards."""
    rng = np.random.default_rng(seed)
    triangles, index, barycentric = _uv_map(proxy)
    columns = []
    for x in range(_MAP):
        y = np.where(index[:, x] >= 0)[0]
        for run in np.split(y, np.where(np.diff(y) > 2)[0] + 1):
            if len(run) >= _SHORTEST:
                columns.append((x, run[-1], run[0]))
    chosen = np.array(columns)[rng.integers(0, len(columns), count)]
    corners, weights = np.zeros((count, points, 3), int), np.full((count, points, 3), 1 / 3)
    for strand, (x, top, bottom) in enumerate(chosen):
        start, stop = rng.uniform(0, 0.25) ** 2, rng.uniform(0, 0.12)
        rows = np.linspace(top - (top - bottom) * start, bottom + (top - bottom) * stop, points)
        wander = np.clip(x + np.cumsum(rng.normal(0, 0.6, points)), 0, _MAP - 1)
        for k, (row, column) in enumerate(zip(np.round(rows).astype(int), wander.astype(int), strict=True)):
            beside = ((row, column), (row, x), (min(row + 1, _MAP - 1), x), (max(row - 1, 0), x))
            hit = next((b for b in beside if index[b] >= 0), None)
            if hit is not None:
                corners[strand, k], weights[strand, k] = triangles[index[hit]], barycentric[hit]
            else:
                corners[strand, k], weights[strand, k] = corners[strand, k - 1], weights[strand, k - 1]
    offset = rng.uniform(-_DEPTH_DM, 0.2 * _DEPTH_DM, count) + _LIFT_DM
    noise = rng.normal(0, _JITTER_DM, (count, 1, 3)) * np.linspace(0.3, 1, points)[None, :, None]
    noise = noise + np.cumsum(rng.normal(0, _JITTER_DM * 0.12, (count, points, 3)), axis=1)
    return Strands(corners, weights, offset, noise)


def _uv_map(proxy: Proxy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles ``[T, 3]``, and for each texel its triangle (or -1) and barycentric coordinates."""
    mesh = proxy.mesh
    fans = [(f[0], f[k], f[k + 1]) for f in mesh.faces for k in range(1, len(f) - 1)]
    uv_fans = [(u[0], u[k], u[k + 1]) for u in mesh.face_uvs for k in range(1, len(u) - 1)]
    index = np.full((_MAP, _MAP), -1)
    barycentric = np.zeros((_MAP, _MAP, 3))
    for t, (a, b, c) in enumerate(mesh.uvs[np.array(uv_fans)] * _MAP):
        low = np.maximum(np.floor(np.minimum(np.minimum(a, b), c)).astype(int), 0)
        high = np.minimum(np.ceil(np.maximum(np.maximum(a, b), c)).astype(int), _MAP - 1)
        area = (b[1] - c[1]) * (a[0] - c[0]) + (c[0] - b[0]) * (a[1] - c[1])
        if np.any(high < low) or abs(area) < 1e-9:
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0] + 1) + 0.5, np.arange(low[1], high[1] + 1) + 0.5)
        wa = ((b[1] - c[1]) * (x - c[0]) + (c[0] - b[0]) * (y - c[1])) / area
        wb = ((c[1] - a[1]) * (x - c[0]) + (a[0] - c[0]) * (y - c[1])) / area
        weights = np.stack([wa, wb, 1 - wa - wb], axis=-1)
        inside = weights.min(-1) >= -0.01
        rows, columns = y[inside].astype(int), x[inside].astype(int)
        index[rows, columns], barycentric[rows, columns] = t, weights[inside]
    return np.array(fans), index, barycentric
