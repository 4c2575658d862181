"""Encoders set up for one thing: the least delay, and packets that every viewer can be given."""

from __future__ import annotations

import functools
from enum import StrEnum
from fractions import Fraction

import av
import numpy as np
from numba import njit

from live.frames import SOUND_RATE

CLOCK = 90_000  # of RTP's video time
SOUND_FRAME = 960  # samples in a packet of sound: 20 ms
_LONGEST_GOP = 3000  # frames; key frames come when somebody needs one
_X264 = {  # but for deblocking the fastest there is: a fifth more bits make up for what the next preset does better
    "preset": "ultrafast", "tune": "zerolatency", "level": "31", "forced-idr": "1", "x264-params": "no-deblock=0",
}  # fmt: skip
_NVENC = {"preset": "p1", "tune": "ull", "zerolatency": "1", "delay": "0", "rc": "cbr", "forced-idr": "1"}
_VPX = {  # no denoiser: it costs 4 dB on a picture that has no noise
    "deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "noise-sensitivity": "0", "qmin": "2", "qmax": "56",
    "static-thresh": "1", "error-resilient": "default",
}  # fmt: skip

# BT.601, limited range, of red, green, blue, each 0…255, in 65536ths; chroma is of the sum of four pixels.
_BITS, _BITS_OF_FOUR = np.int32(16), np.int32(18)  # of the fraction, and of that of four pixels' sum
_YR, _YG, _YB, _Y0 = (np.int32(round(x * 65536)) for x in (65.481 / 255, 128.553 / 255, 24.966 / 255, 16.5))
_UR, _UG, _UB = (np.int32(round(x * 65536)) for x in (-37.797 / 255, -74.203 / 255, 112 / 255))
_VR, _VG, _VB = (np.int32(round(x * 65536)) for x in (112 / 255, -93.786 / 255, -18.214 / 255))
_UV0 = np.int32(round(128.5 * 4 * 65536))


class Codec(StrEnum):
    """Video codecs that can be sent, named as in SDP."""

    H264 = "H264"
    VP8 = "VP8"


@functools.cache
def h264_encoder() -> str:
    """The H.264 encoder to use: the graphics card's where it works, found out by trying; x264 otherwise."""
    if "h264_nvenc" in av.codecs_available:
        try:
            probe = _prepare("h264_nvenc", 256, 256, 25, 1_000_000, _NVENC)
            probe.encode(av.VideoFrame(256, 256, "yuv420p"))
            return "h264_nvenc"
        except av.FFmpegError:
            pass
    return "libx264"


def open_video(codec: Codec, width: int, height: int, rate: int, bit_rate: int) -> av.VideoCodecContext:
    """An encoder of yuv420p pictures.

    Args:
        codec: which.
        width: px.
        height: px.
        rate: frames per second that rate control assumes.
        bit_rate: bits per second, held over a quarter of a second: a picture never waits behind a large one.
    """
    if codec is Codec.VP8:
        return _prepare("libvpx", width, height, rate, bit_rate, _VPX)
    name = h264_encoder()
    context = _prepare(name, width, height, rate, bit_rate, _NVENC if name == "h264_nvenc" else _X264)
    context.profile = "Baseline"
    return context


def _prepare(
    name: str, width: int, height: int, rate: int, bit_rate: int, options: dict[str, str]
) -> av.VideoCodecContext:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.bit_rate, context.gop_size, context.thread_count = bit_rate, _LONGEST_GOP, 1
    context.framerate, context.time_base = Fraction(rate, 1), Fraction(1, CLOCK)
    context.options = {"maxrate": str(bit_rate), "bufsize": str(bit_rate // 4), **options}
    return context


def yuv_frame(image: np.ndarray) -> av.VideoFrame:
    """A picture ``[H, W, 3]`` uint8 RGB, contiguous, with even sides, as encoders take it: yuv420p, BT.601, limited
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


def open_sound(bit_rate: int = 96_000) -> av.AudioCodecContext:
    """An Opus encoder of 20-ms pieces, stereo, 48 kHz, 16 bit."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.bit_rate, context.format, context.layout = bit_rate, "s16", "stereo"
    context.sample_rate, context.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
    context.options = {"application": "lowdelay", "frame_duration": "20"}
    return context
