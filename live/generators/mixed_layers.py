"""Samples layers to which a mixture of texture bases is added, on a CPU: the layered generator's."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from face.compact_constants import FINE_PATCH
from live.generators.cpu_compositing import between, columns_between, texels_of_row

_HALF, _ZERO, _BYTE = (np.float32(v) for v in (0.5, 0, 255))  # float32: see cpu_compositing
_STRETCH = 4096  # values of the bases' sum that are made at a time


@njit(cache=True, nogil=True, fastmath=True)
def mix_bases(
    bases: np.ndarray,  # [K, N] int8
    weights: np.ndarray,  # [K] float32
    mixed: np.ndarray,  # [N] float32, written
) -> None:
    """The weighted sum of bases, a stretch at a time, so that it stays in the cache."""
    for begin in range(0, len(mixed), _STRETCH):
        part = mixed[begin : begin + _STRETCH]
        part[:] = _ZERO
        for k in range(len(weights)):
            weight = weights[k]
            basis = bases[k, begin : begin + _STRETCH]
            for n in range(len(part)):
                part[n] += weight * np.float32(basis[n])


def sample_mixed_layers(
    conditioning: np.ndarray,
    grid: np.ndarray,
    head: np.ndarray,
    more_head: np.ndarray,
    face: np.ndarray,
    more_face: np.ndarray,
    layers: np.ndarray,
    rows: tuple[int, int],
) -> None:
    """Sample the head and face layers at each pixel, beside the conditioning.

    Args:
        conditioning: ``[H, W, 6]`` uint8.
        grid: ``[2, H/4, W/4]`` float32, from ``head_sampling_grid``.
        head: table ``[side · side, 4]`` uint8.
        more_head: what the bases add to it, ``[side', side', 4]`` float32 in steps of its bytes.
        face: table ``[256 · 256, 4]`` uint8.
        more_face: what the bases add to it, likewise.
        layers: ``[H/2, W/2, 2, 2, 14]`` uint8, written: patches' pixels, each its conditioning, head and face.
        rows: the first of the image's to do, and the first not to.
    """
    _sample_face(conditioning, face, more_face, layers, *rows)
    _sample_head(grid, head, more_head, layers, *rows)


@njit(cache=True, nogil=True, fastmath=True)
def _sample_face(
    conditioning: np.ndarray, face: np.ndarray, more: np.ndarray, layers: np.ndarray, begin: int, end: int
) -> None:
    width = conditioning.shape[1]
    side = len(more)
    near, far, part = np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256, np.float32)
    for byte in range(256):
        near[byte], far[byte], part[byte] = between(np.float32(byte * side / 255 - 0.5), side)
    blank = np.empty(4, np.uint8)  # what pixels without a face look up, most of the image
    for k in range(4):
        blank[k] = np.uint8(np.int32(min(max(np.float32(face[0, k]) + more[0, 0, k] + _HALF, _ZERO), _BYTE)))
    for i in range(begin, end):
        for j in range(width):
            pixel = layers[i // FINE_PATCH, j // FINE_PATCH, i % FINE_PATCH, j % FINE_PATCH]
            u, v = conditioning[i, j, 0], conditioning[i, j, 1]
            for k in range(6):
                pixel[k] = conditioning[i, j, k]
            if u == 0 and v == 0:
                for k in range(4):
                    pixel[10 + k] = blank[k]
            else:
                for k in range(4):
                    upper = more[near[v], near[u], k] + part[u] * (more[near[v], far[u], k] - more[near[v], near[u], k])
                    lower = more[far[v], near[u], k] + part[u] * (more[far[v], far[u], k] - more[far[v], near[u], k])
                    value = np.float32(face[u + 256 * v, k]) + upper + part[v] * (lower - upper) + _HALF
                    pixel[10 + k] = np.uint8(np.int32(min(max(value, _ZERO), _BYTE)))


@njit(cache=True, nogil=True, fastmath=True)
def _sample_head(
    grid: np.ndarray, head: np.ndarray, more: np.ndarray, layers: np.ndarray, begin: int, end: int
) -> None:
    width = FINE_PATCH * layers.shape[1]
    side = np.int32(math.sqrt(head.shape[0]))
    last = np.float32(side - 1)
    coarser = np.float32(len(more) / side)
    columns, texels = columns_between(width, grid.shape[1]), np.empty((2, width), np.float32)
    for i in range(begin, end):
        texels_of_row(grid, i, columns, side, texels)
        for j in range(width):
            u, v = texels[0, j], texels[1, j]
            row = np.int32(min(last, max(_ZERO, u))) + side * np.int32(min(last, max(_ZERO, v)))
            pixel = layers[i // FINE_PATCH, j // FINE_PATCH, i % FINE_PATCH, j % FINE_PATCH]
            near, far, part = between(u * coarser - _HALF, len(more))
            upper, lower, drop = between(v * coarser - _HALF, len(more))
            for k in range(4):
                first = more[upper, near, k] + part * (more[upper, far, k] - more[upper, near, k])
                second = more[lower, near, k] + part * (more[lower, far, k] - more[lower, near, k])
                value = np.float32(head[row, k]) + first + drop * (second - first) + _HALF
                pixel[6 + k] = np.uint8(np.int32(min(max(value, _ZERO), _BYTE)))
