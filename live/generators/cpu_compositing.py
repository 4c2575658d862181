"""What lies between the compact generator's convolutions, on a CPU: sampling grids, layer lookup, compositing.

The same maths as ``offline/networks/head_warp.py`` and the compact generator's own compositing, for one frame and as
loops over its pixels. Constants are float32, or everything they touch becomes float64, which takes twice the time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numba import njit
from scipy.special import expit

from face.compact_constants import (
    CAMERA_PIXELS,
    HALF_RANGE,
    HEAD_EXTENT,
    MASK_SLOPE,
    MIDDLE,
    PARALLAX_ITERATIONS,
    PATCH,
    RIDGE,
    RIGID_ABOVE,
)

_FIRST, _EACH = CAMERA_PIXELS.start, CAMERA_PIXELS.step
_MIDDLE, _HALF_RANGE, _HALF, _ONE, _ZERO, _BYTE = (np.float32(v) for v in (MIDDLE, HALF_RANGE, 0.5, 1, 0, 255))
# The sigmoid at 4096 points up to ±16: a third of the time of an exponential, and as good as bytes can tell.
_POINTS_PER_UNIT = np.float32(128.0)
_SIGMOID = expit((np.arange(4096) - 2048) / 128.0).astype(np.float32)
_LAST = np.float32(len(_SIGMOID) - 1)


@njit(cache=True, nogil=True)
def halved(frame: np.ndarray) -> np.ndarray:
    """A frame ``[H, W, C]`` uint8 averaged down to ``[H/2, W/2, C]``, rounded."""
    height, width, channels = frame.shape
    smaller = np.empty((height // 2, width // 2, channels), np.uint8)
    for i in range(height // 2):
        upper, lower = frame[2 * i], frame[2 * i + 1]
        for j in range(width // 2):
            for k in range(channels):
                both = np.int32(upper[2 * j, k]) + upper[2 * j + 1, k] + lower[2 * j, k] + lower[2 * j + 1, k]
                smaller[i, j, k] = (both + 2) >> 2
    return smaller


def push_frame(patches: np.ndarray, frame: np.ndarray) -> None:
    """Append a frame to a history of patches and drop its oldest.

    Args:
        patches: ``[H/4, W/4, frames · 16C]`` uint8, the oldest first, a patch's pixels by row, column, channel.
        frame: ``[H, W, C]`` uint8, contiguous.
    """
    height, width, channels = frame.shape
    # Four bytes at a time: a patch's row of any frame is a multiple of that.
    rows = frame.reshape(height, width // PATCH, PATCH * channels).view(np.uint32)
    _push(patches.view(np.uint32), rows)


@njit(cache=True, nogil=True)
def _push(patches: np.ndarray, rows: np.ndarray) -> None:  # [H/4, W/4, ·], [H, W/4, ·] uint32
    height, width, size = patches.shape
    row = rows.shape[2]
    older = size - PATCH * row
    for i in range(height):
        for j in range(width):
            for k in range(older):
                patches[i, j, k] = patches[i, j, k + PATCH * row]
            for k in range(PATCH):
                for n in range(row):
                    patches[i, j, older + k * row + n] = rows[PATCH * i + k, j, n]


def implied_camera(conditioning: np.ndarray) -> np.ndarray:
    """Affine camera ``[8]`` float32 that the NMFC of a conditioning ``[H, W, 6]`` uint8 implies: least squares."""
    sums = _moments(conditioning)
    count = (len(conditioning) // CAMERA_PIXELS.step) ** 2
    sums /= sums[5, 5] + 1e-6 * count
    means = sums[5]
    apart = sums - (2 - means[5]) * np.outer(means, means)  # about the means; where there is no face, nothing is known
    matrix = np.linalg.solve(apart[:3, :3] + RIDGE * np.eye(3), apart[:3, 3:5]).T
    return np.concatenate([matrix.ravel(), means[3:5] - matrix @ means[:3]]).astype(np.float32)


@njit(cache=True, nogil=True)
def _moments(conditioning: np.ndarray) -> np.ndarray:
    """Weighted sums of the products of NMFC (u, v, w), pixel (x, y) and 1 over the face's rigid part, ``[6, 6]``."""
    sums = np.zeros((6, 6))
    size = conditioning.shape[0]
    row = np.ones(6)
    for i in range(_FIRST, size, _EACH):
        row[4] = (2 * i + 1) / size - 1
        for j in range(_FIRST, size, _EACH):
            row[3] = (2 * j + 1) / size - 1
            for k in range(3):
                row[k] = conditioning[i, j, k] / HALF_RANGE - 1
            weight = min(max((row[0] + row[1] + row[2] + 3) * MASK_SLOPE, 0.0), 1.0)
            weight *= min(max((row[1] - RIGID_ABOVE) * MASK_SLOPE, 0.0), 1.0)
            if weight > 0:
                for a in range(6):
                    for b in range(a, 6):
                        sums[a, b] += weight * row[a] * row[b]
    return sums + np.triu(sums, 1).T


@njit(cache=True, nogil=True)
def between(position: np.float32, count: int) -> tuple[int, int, np.float32]:
    """Neighbors among ``count`` samples of a position in samples, and how far it is to the second."""
    inside = min(np.float32(count - 1), max(_ZERO, position))  # in this order: what is no number becomes the first
    first = int(inside)
    return first, min(first + 1, count - 1), inside - np.float32(first)


@njit(cache=True, nogil=True)
def _at(plane: np.ndarray, x: np.float32, y: np.float32) -> np.float32:  # plane [h, w] float32
    """A plane at a position in samples, bilinear; beyond the border as at the border."""
    left, right, across = between(x, plane.shape[1])
    above, below, down = between(y, plane.shape[0])
    upper = plane[above, left] + across * (plane[above, right] - plane[above, left])
    lower = plane[below, left] + across * (plane[below, right] - plane[below, left])
    return upper + down * (lower - upper)


@njit(cache=True, nogil=True, error_model="numpy")
def head_sampling_grid(
    camera: np.ndarray,  # [8] float32
    depth_map: np.ndarray,  # [3, h, h] float32
    warp: np.ndarray,  # [2, n/2, n/2] float32
) -> np.ndarray:
    """Where on the head the pixels of a frame of ``n`` × ``n`` sample, ``[2, n, n]`` float32: right and up."""
    count = 2 * warp.shape[1]
    grid = np.empty((2, count, count), np.float32)
    xu, xv, xw, yu, yv, yw, x0, y0 = camera
    area = xu * yv - xv * yu
    step_u, step_v = (xw * yv - yw * xv) / area, (yw * xu - xw * yu) / area
    extent = np.float32(HEAD_EXTENT)
    scale = np.float32(depth_map.shape[1] / (2 * HEAD_EXTENT))
    mean = depth_map[0].mean()
    for i in range(count):
        y = np.float32((2 * i + 1) / count - 1) - y0
        for j in range(count):
            x = np.float32((2 * j + 1) / count - 1) - x0
            across, down = np.float32(0.5 * j - 0.25), np.float32(0.5 * i - 0.25)
            u = (x * yv - y * xv) / area + _at(warp[0], across, down)
            v = (y * xu - x * yu) / area + _at(warp[1], across, down)
            depth = mean
            for _ in range(PARALLAX_ITERATIONS):
                across = (u - step_u * depth + extent) * scale - _HALF
                down = (v - step_v * depth + extent) * scale - _HALF
                depth = _at(depth_map[0], across, down)
            grid[0, i, j] = u - step_u * depth + _at(depth_map[1], across, down)
            grid[1, i, j] = v - step_v * depth + _at(depth_map[2], across, down)
    return grid


@njit(cache=True, nogil=True)
def columns_between(width: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each of an image's columns: its neighbors among a grid's, and how far it is to the second, each ``[W]``."""
    left, right, across = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.float32)
    step = width / count
    for j in range(width):
        left[j], right[j], across[j] = between(np.float32((j + 0.5) / step - 0.5), count)
    return left, right, across


@njit(cache=True, nogil=True)
def texels_of_row(
    grid: np.ndarray,  # [2, h, w] float32, from head_sampling_grid
    i: int,  # the image's row
    columns: tuple[np.ndarray, np.ndarray, np.ndarray],  # from columns_between
    side: int,  # of the head's texture
    texels: np.ndarray,  # [2, W] float32, written: right and down
) -> None:
    """Where a row of pixels samples the head, in texels."""
    count = grid.shape[1]
    left, right, across = columns
    half, scale = np.float32(side / 2), np.float32(side / (2 * HEAD_EXTENT))
    above, below, down = between(np.float32((i + 0.5) * count / texels.shape[1] - 0.5), count)
    line = np.empty(count, np.float32)
    for k in range(2):
        for j in range(count):
            line[j] = (grid[k, above, j] + down * (grid[k, below, j] - grid[k, above, j])) * scale + half
        for j in range(texels.shape[1]):
            texels[k, j] = line[left[j]] + across[j] * (line[right[j]] - line[left[j]])


@functools.cache
def layer_sampler(patch: int) -> Callable[..., None]:
    """Samples the head and face layers at each pixel, beside the conditioning.

    Compiled for a length of patches: divisions by a constant cost nothing.

    Args:
        patch: side of the layers' patches, px.

    Returns:
        function of the conditioning ``[H, W, 6]`` uint8, the grid ``[2, h, w]`` float32 from ``head_sampling_grid``,
        the head's table ``[side · side, 4]`` uint8, the face's ``[256 · 256, 4]`` uint8, and the layers
        ``[H/patch, W/patch, patch, patch, 14]`` uint8, written: patches' pixels, each its conditioning, head and face.
    """

    @njit(cache=True, nogil=True)
    def sample(
        conditioning: np.ndarray, head: np.ndarray, face: np.ndarray, layers: np.ndarray, grid: np.ndarray
    ) -> None:
        height, width = conditioning.shape[:2]
        side = np.int32(math.sqrt(head.shape[0]))
        last = np.float32(side - 1)
        columns, texels = columns_between(width, grid.shape[1]), np.empty((2, width), np.float32)
        rows = np.empty(width, np.int32)
        for i in range(height):
            texels_of_row(grid, i, columns, side, texels)
            for j in range(width):
                rows[j] = np.int32(min(last, max(_ZERO, texels[0, j]))) + side * np.int32(
                    min(last, max(_ZERO, texels[1, j]))
                )
            patches = layers[i // patch, :, i % patch]
            for j in range(width):
                pixel = patches[j // patch, j % patch]
                for k in range(3):
                    pixel[k] = conditioning[i, j, k]
                for k in range(2):
                    pixel[3 + k] = head[rows[j], k]
                    pixel[5 + k] = face[conditioning[i, j, 0], k]

    def sample_layers(
        conditioning: np.ndarray, grid: np.ndarray, head: np.ndarray, face: np.ndarray, layers: np.ndarray
    ) -> None:
        # Two bytes at a time; those of the NMFC's first two colors are the number of the face's row.
        sample(*(each.view("<u2") for each in (conditioning, head, face, layers)), grid)

    return sample_layers


@functools.cache
def compositor(patch: int) -> Callable[..., None]:
    """Composites the corrected layers, back to front.

    Args:
        patch: side of the layers' patches, px.
    """

    @njit(cache=True, nogil=True, fastmath=True)
    def composite(
        layers: np.ndarray,  # [H/patch, W/patch, patch, patch, 14] uint8, from layer_sampler
        corrections: np.ndarray,  # [H/patch, W/patch, patch, patch, 4] uint8
        refinement: np.ndarray | None,  # [4, H, W] float32, the windows' corrections; None for nothing
        background: np.ndarray,  # [3, H, W] float32 -1…1
        head_step: np.ndarray,  # [4] float32: what one step of a byte is worth
        face_step: np.ndarray,  # [4] float32
        correction_step: np.ndarray,  # [4] float32
        no_correction: np.float32,  # the byte that stands for none
        image: np.ndarray,  # [H, W, 3] uint8, written
        rows: tuple[int, int],  # the first of the image's to do, and the first not to
    ) -> None:
        begin, end = rows
        width = image.shape[1]
        head, face = np.empty(width, np.float32), np.empty(width, np.float32)  # alpha of a row of pixels
        for i in range(begin, end):
            row, more = layers[i // patch, :, i % patch], corrections[i // patch, :, i % patch]
            for p in range(width // patch):
                for q in range(patch):
                    j = patch * p + q
                    correction = (np.float32(more[p, q, 3]) - no_correction) * correction_step[3]
                    if refinement is not None:
                        correction += refinement[3, i, j]
                    head[j] = _sigmoid((np.float32(row[p, q, 9]) - _MIDDLE) * head_step[3] + correction)
                    face[j] = _sigmoid((np.float32(row[p, q, 13]) - _MIDDLE) * face_step[3] + correction)
                    if row[p, q, 0] == 0:  # the background; a face has no color of zero
                        face[j] = _ZERO
            for k in range(3):
                for p in range(width // patch):
                    for q in range(patch):
                        j = patch * p + q
                        value = background[k, i, j]
                        value += head[j] * ((np.float32(row[p, q, 6 + k]) - _MIDDLE) * head_step[k] - value)
                        value += face[j] * ((np.float32(row[p, q, 10 + k]) - _MIDDLE) * face_step[k] - value)
                        value += (np.float32(more[p, q, k]) - no_correction) * correction_step[k]
                        if refinement is not None:
                            value += refinement[k, i, j]
                        byte = min(max((value + _ONE) * _HALF_RANGE + _HALF, _ZERO), _BYTE)
                        image[i, j, k] = np.uint8(np.int32(byte))

    return composite


@njit(cache=True, nogil=True)
def _sigmoid(x: np.float32) -> np.float32:
    place = x * _POINTS_PER_UNIT + np.float32(len(_SIGMOID) // 2) + _HALF
    return _SIGMOID[np.int32(min(max(place, _ZERO), _LAST))]
