"""What a publisher sends, frame by frame and piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler, VideoFrame

from live.frames import SOUND_RATE, Frame, Sound
from live.streaming.webrtc import aiortc_patches

SILENCE_S = 30.0  # without a frame a publisher keeps its place that long, as with ICE consent (RFC 7675)
_SOUND_AGE_S = 0.0265  # of a packet's first sample as the packet is made: 20 ms long, after 6.5 that Opus looks ahead


async def frames(track: MediaStreamTrack, arrivals: Mapping[int, float]) -> AsyncIterator[Frame]:
    """A camera's newest frames, until it ends or is silent; an unread track would queue without bound.

    Args:
        track: gives decoded frames.
        arrivals: when they arrived, by their ``pts``; decoding takes its time.
    """
    number, captured_s = 0, 0.0
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                frame = await track.recv()
                while not aiortc_patches.nothing_waits(track):
                    frame = await track.recv()
        except (MediaStreamError, TimeoutError):
            return
        assert isinstance(frame, VideoFrame)
        captured_s = max(captured_s, arrivals.get(frame.pts or 0, time.monotonic()))  # B-frames arrive out of order
        image = await asyncio.to_thread(frame.to_ndarray, format="rgb24")
        yield Frame(image, captured_s, number)
        number += 1


async def sounds(track: MediaStreamTrack) -> AsyncIterator[Sound]:
    """A microphone's sound as it comes, whatever its codec's rate, until it ends."""
    resampler, form = AudioResampler("s16", "stereo", SOUND_RATE), None
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        assert isinstance(frame, AudioFrame)
        captured_s = time.monotonic() - _SOUND_AGE_S
        if form != (form := (frame.sample_rate, frame.layout.name)):  # the peer may change its codec
            resampler = AudioResampler("s16", "stereo", SOUND_RATE)
        for piece in resampler.resample(frame):
            yield Sound(np.asarray(piece.to_ndarray()).reshape(-1, 2), captured_s)
