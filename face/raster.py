"""The z-buffer: which triangle is seen at each pixel. The CPU reference of ``live/renderers/conditioning_kernels.cu``.

Pixel (row i, column j) is sampled at its center, ``x = j + 0.5, y = i + 0.5``. Larger depth is nearer.
Triangles that face away are not drawn. At equal depth the lower triangle index wins, so that the result
does not depend on drawing order.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

BACKGROUND = -1


@njit(cache=True, nogil=True)
def rasterize(
    points: np.ndarray,  # [V, 3] float32, image frame: x right px, y down px, depth towards the viewer px
    triangles: np.ndarray,  # [T, 3] int32, counter-clockwise as seen from the front
    height: int,
    width: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw all triangles into a z-buffer.

    Returns:
        index: ``[H, W]`` int32, triangle seen at each pixel, ``BACKGROUND`` where there is none.
        depth: ``[H, W]`` float32, its depth in px, ``-inf`` where there is none.
    """
    index = np.full((height, width), BACKGROUND, np.int32)
    depth = np.full((height, width), -np.inf, np.float32)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
        cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
        # Image y points down, so counter-clockwise triangles have negative area here.
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if not area < 0.0:
            continue
        left = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        right = min(width - 1, math.floor(max(ax, bx, cx) - 0.5))
        top = max(0, math.ceil(min(ay, by, cy) - 0.5))
        bottom = min(height - 1, math.floor(max(ay, by, cy) - 0.5))
        for i in range(top, bottom + 1):
            y = np.float32(i + 0.5)
            for j in range(left, right + 1):
                x = np.float32(j + 0.5)
                wa = (bx - x) * (cy - y) - (cx - x) * (by - y)
                wb = (cx - x) * (ay - y) - (ax - x) * (cy - y)
                wc = (ax - x) * (by - y) - (bx - x) * (ay - y)
                if max(wa, wb, wc) <= 0.0:
                    z = (wa * az + wb * bz + wc * cz) / (wa + wb + wc)
                    if z > depth[i, j]:
                        depth[i, j] = z
                        index[i, j] = t
    return index, depth


@njit(cache=True, nogil=True)
def interpolate(
    points: np.ndarray,  # [V, 3] float32, image frame, as given to rasterize
    triangles: np.ndarray,  # [T, 3] int32
    index: np.ndarray,  # [H, W] int32 from rasterize
    attributes: np.ndarray,  # [V, C] float32
) -> np.ndarray:
    """Attributes of the surface seen at each pixel, ``[H, W, C]`` float32, linear in the image plane; 0 elsewhere."""
    height, width = index.shape
    channels = attributes.shape[1]
    image = np.zeros((height, width, channels), np.float32)
    for i in range(height):
        y = np.float32(i + 0.5)
        for j in range(width):
            t = index[i, j]
            if t < 0:
                continue
            x = np.float32(j + 0.5)
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            wa = (points[b, 0] - x) * (points[c, 1] - y) - (points[c, 0] - x) * (points[b, 1] - y)
            wb = (points[c, 0] - x) * (points[a, 1] - y) - (points[a, 0] - x) * (points[c, 1] - y)
            wc = (points[a, 0] - x) * (points[b, 1] - y) - (points[b, 0] - x) * (points[a, 1] - y)
            total = wa + wb + wc
            for k in range(channels):
                image[i, j, k] = (wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]) / total
    return image


def triangulate(quads: np.ndarray) -> np.ndarray:  # [Q, 4] int
    """Split quads into two triangles each, ``[2Q, 3]`` int32; triangles ``2q`` and ``2q+1`` come from quad ``q``."""
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3).astype(np.int32)


def vertex_normals(
    vertices: np.ndarray,  # [V, 3] float
    triangles: np.ndarray,  # [T, 3] int
) -> np.ndarray:
    """Area-weighted unit normals, ``[V, 3]`` float32, outwards for counter-clockwise triangles."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), len(vertices)) for k in range(3)], axis=1
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-12)).astype(np.float32)
