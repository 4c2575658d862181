"""RGB images as encoders take them."""

from __future__ import annotations

import av
import numpy as np
from numba import njit

# BT.601, limited range, of red, green, blue, each 0…255, in 65536ths; chroma is of the sum of four pixels.
_BITS, _BITS_OF_FOUR = np.int32(16), np.int32(18)  # of the fraction, and of that of four pixels' sum
_YR, _YG, _YB, _Y0 = (np.int32(round(x * 65536)) for x in (65.481 / 255, 128.553 / 255, 24.966 / 255, 16.5))
_UR, _UG, _UB = (np.int32(round(x * 65536)) for x in (-37.797 / 255, -74.203 / 255, 112 / 255))
_VR, _VG, _VB = (np.int32(round(x * 65536)) for x in (112 / 255, -93.786 / 255, -18.214 / 255))
_UV0 = np.int32(round(128.5 * 4 * 65536))


def yuv_frame(image: np.ndarray) -> av.VideoFrame:
    """An image ``[H, W, 3]`` uint8 RGB, contiguous, with even sides, as encoders take it: yuv420p, BT.601, limited
    range; a chroma sample is of the mean of its four pixels, as libswscale's, in a tenth of its time.
    """
    height, width = image.shape[:2]
    frame = av.VideoFrame(width, height, "yuv420p")
    planes = (np.asarray(memoryview(plane)).reshape(plane.height, plane.line_size) for plane in frame.planes)
    _to_yuv(image.reshape(height, width * 3), *planes)
    return frame


@njit(cache=True, nogil=True)
def _to_yuv(rgb: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
    # Rows are one-dimensional and sums 32 bits wide for the compiler's sake: it makes vectors of both.
    width = rgb.shape[1] // 3
    for i in range(rgb.shape[0]):
        row, luma = rgb[i], y[i]
        for j in range(width):
            red, green, blue = np.int32(row[3 * j]), np.int32(row[3 * j + 1]), np.int32(row[3 * j + 2])
            luma[j] = (_YR * red + _YG * green + _YB * blue + _Y0) >> _BITS
    for i in range(rgb.shape[0] // 2):
        upper, lower, blueness, redness = rgb[2 * i], rgb[2 * i + 1], u[i], v[i]
        for j in range(width // 2):
            k = 6 * j
            red = np.int32(upper[k]) + np.int32(upper[k + 3]) + np.int32(lower[k]) + np.int32(lower[k + 3])
            green = np.int32(upper[k + 1]) + np.int32(upper[k + 4]) + np.int32(lower[k + 1]) + np.int32(lower[k + 4])
            blue = np.int32(upper[k + 2]) + np.int32(upper[k + 5]) + np.int32(lower[k + 2]) + np.int32(lower[k + 5])
            blueness[j] = (_UR * red + _UG * green + _UB * blue + _UV0) >> _BITS_OF_FOUR
            redness[j] = (_VR * red + _VG * green + _VB * blue + _UV0) >> _BITS_OF_FOUR
