"""Encoders set up for one thing: the least delay, and packets that every viewer can be given."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

import av

CLOCK = 90_000  # of RTP's video time
SOUND_RATE = 48_000
SOUND_FRAME = 960  # samples in a packet of sound: 20 ms
_LONGEST_GOP = 3000  # frames; key frames come when somebody needs one


class Codec(StrEnum):
    """Video codecs that can be sent, named as in SDP."""

    H264 = "H264"
    VP8 = "VP8"


def open_video(codec: Codec, width: int, height: int, rate: int, bit_rate: int) -> av.VideoCodecContext:
    """An encoder of yuv420p pictures.

    Args:
        codec: which.
        width: px.
        height: px.
        rate: frames per second that rate control assumes.
        bit_rate: bits per second, held over a quarter of a second: a picture never waits behind a large one.
    """
    context = av.CodecContext.create({Codec.H264: "libx264", Codec.VP8: "libvpx"}[codec], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.bit_rate, context.gop_size, context.thread_count = bit_rate, _LONGEST_GOP, 1
    context.framerate, context.time_base = Fraction(rate, 1), Fraction(1, CLOCK)
    limits = {"maxrate": str(bit_rate), "bufsize": str(bit_rate // 4)}
    if codec is Codec.H264:
        context.profile = "Baseline"
        context.options = limits | {"preset": "superfast", "tune": "zerolatency", "level": "31", "forced-idr": "1"}
    else:
        # No denoiser: it costs 4 dB on a picture that has no noise.
        context.options = limits | {
            "deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "noise-sensitivity": "0", "qmin": "2",
            "qmax": "56", "static-thresh": "1", "error-resilient": "default",
        }  # fmt: skip
    return context


def open_sound(bit_rate: int = 96_000) -> av.AudioCodecContext:
    """An Opus encoder of 20-ms pieces, stereo, 48 kHz, 16 bit."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.bit_rate, context.format, context.layout = bit_rate, "s16", "stereo"
    context.sample_rate, context.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
    context.options = {"application": "lowdelay", "frame_duration": "20"}
    return context
