"""Encoders set up for one thing: the least delay, and packets that every viewer can be sent."""

from __future__ import annotations

import functools
from enum import StrEnum
from fractions import Fraction

import av

from live.frames import SOUND_RATE

CLOCK = 90_000  # of RTP's video time
SOUND_FRAME = 960  # samples in a packet of sound: 20 ms
_LONGEST_GOP = 3000  # frames; key frames come when somebody needs one
_X264 = {  # but for deblocking the fastest there is: a fifth more bits make up for what the next preset does better
    "preset": "ultrafast", "tune": "zerolatency", "level": "31", "forced-idr": "1", "x264-params": "no-deblock=0",
}  # fmt: skip
_NVENC = {"preset": "p1", "tune": "ull", "zerolatency": "1", "delay": "0", "rc": "cbr", "forced-idr": "1"}
_VPX = {  # no denoiser: it costs 4 dB on frames that have no noise
    "deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "noise-sensitivity": "0", "qmin": "2", "qmax": "56",
    "static-thresh": "1", "error-resilient": "default",
}  # fmt: skip


class Codec(StrEnum):
    """Video codecs that can be sent, named as in SDP."""

    H264 = "H264"
    VP8 = "VP8"


@functools.cache
def h264_encoder() -> str:
    """The H.264 encoder to use: the graphics card's where it works, as a trial shows; x264 otherwise."""
    if "h264_nvenc" in av.codecs_available:
        try:
            probe = _prepare("h264_nvenc", 256, 256, 25, 1_000_000, _NVENC)
            probe.encode(av.VideoFrame(256, 256, "yuv420p"))
            return "h264_nvenc"
        except av.FFmpegError:
            pass
    return "libx264"


def open_video(codec: Codec, width: int, height: int, rate: int, bitrate: int) -> av.VideoCodecContext:
    """An encoder of yuv420p frames.

    Args:
        codec: which.
        width: px.
        height: px.
        rate: frames per second that rate control assumes.
        bitrate: bits per second, held over a quarter of a second: a frame never waits behind a large one.
    """
    if codec is Codec.VP8:
        return _prepare("libvpx", width, height, rate, bitrate, _VPX)
    name = h264_encoder()
    context = _prepare(name, width, height, rate, bitrate, _NVENC if name == "h264_nvenc" else _X264)
    context.profile = "Baseline"
    return context


def _prepare(
    name: str, width: int, height: int, rate: int, bitrate: int, options: dict[str, str]
) -> av.VideoCodecContext:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.bit_rate, context.gop_size, context.thread_count = bitrate, _LONGEST_GOP, 1
    context.framerate, context.time_base = Fraction(rate, 1), Fraction(1, CLOCK)
    context.options = {"maxrate": str(bitrate), "bufsize": str(bitrate // 4), **options}
    return context


def open_sound(bitrate: int = 96_000) -> av.AudioCodecContext:
    """An Opus encoder of 20-ms pieces, stereo, 48 kHz, 16 bit."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.bit_rate, context.format, context.layout = bitrate, "s16", "stereo"
    context.sample_rate, context.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
    context.options = {"application": "lowdelay", "frame_duration": "20"}
    return context
