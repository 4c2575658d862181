"""One encode for all: key frames when somebody needs one, and nobody waits for a slow viewer."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from live.frames import Generated
from live.metrics import Metrics
from live.streaming.codecs import Codec, h264_encoder, open_video, yuv_frame
from live.streaming.encoder import SharedEncoder, Subscription

pytestmark = pytest.mark.unit


def packet(key: bool = False) -> av.Packet:
    made = av.Packet(b"x")
    made.is_keyframe = key
    return made


def picture(number: int, size: int = 64) -> Generated:
    image = np.full((size, size, 3), 40 + number % 100, np.uint8)
    image[: size // 2, : number % size] = 200
    return Generated(image, None, time.monotonic())


def waiting(subscription: Subscription) -> int:
    return subscription._queue.qsize()


def test_a_viewer_begins_with_a_key_frame():
    viewer = Subscription()
    assert not viewer.push(packet()) and waiting(viewer) == 0
    assert viewer.push(packet(key=True)) and viewer.push(packet()) and waiting(viewer) == 2


def test_a_slow_viewer_falls_back_to_the_next_key_frame():
    viewer = Subscription(longest=3)
    assert all(viewer.push(packet(key=k == 0)) for k in range(3))
    assert not viewer.push(packet()) and waiting(viewer) == 0  # what it did not take is gone
    assert not viewer.push(packet())
    assert viewer.push(packet(key=True)) and waiting(viewer) == 1


def test_a_slow_listener_loses_the_oldest_and_goes_on():
    listener = Subscription(from_key=False, longest=3)
    assert all(listener.push(packet()) for _ in range(10)) and waiting(listener) <= 3


def samples(plane: av.video.plane.VideoPlane) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def test_yuv_is_what_libswscale_makes_of_it():
    colours = [[(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(255, 255, 255), (0, 0, 0), (180, 120, 90)]]
    image = np.kron(np.array(colours), np.ones((32, 32, 1))).astype(np.uint8)
    wanted = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
    for found, plane in zip(yuv_frame(image).planes, wanted.planes, strict=True):
        side = plane.height // 2  # of a colour's square; libswscale blurs chroma over its border
        middles = np.s_[side // 2 :: side, side // 2 :: side]
        assert np.abs(samples(found)[middles].astype(int) - samples(plane)[middles]).max() <= 1


def test_yuv_is_bt601_and_chroma_that_of_four_pixels_mean():
    rgb = np.random.default_rng(0).integers(0, 256, (34, 198, 3), dtype=np.uint8)  # rows that the encoder pads
    y, u, v = (samples(plane) for plane in yuv_frame(rgb).planes)
    mean = rgb.reshape(17, 2, 99, 2, 3).mean((1, 3))
    assert np.abs(y - (16 + rgb @ [65.481, 128.553, 24.966] / 255)).max() < 0.51
    assert np.abs(u - (128 + mean @ [-37.797, -74.203, 112.0] / 255)).max() < 0.51
    assert np.abs(v - (128 + mean @ [112.0, -93.786, -18.214] / 255)).max() < 0.51


@pytest.mark.parametrize("codec", list(Codec))
def test_packets_decode_to_the_picture_and_keep_its_time(codec):
    encoder = open_video(codec, 64, 64, 25, 1_000_000)
    decoder = av.CodecContext.create("h264" if codec is Codec.H264 else "vp8", "r")
    frames = []
    for number in range(10):
        frame = av.VideoFrame.from_ndarray(picture(number).image, "rgb24")
        frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
        packets = encoder.encode(frame)
        assert len(packets) == 1 and packets[0].pts == frame.pts, "a picture must not wait for the next"
        frames += decoder.decode(av.Packet(bytes(packets[0])))
    error = np.abs(frames[-1].to_ndarray(format="rgb24").astype(int) - picture(len(frames) - 1).image)
    assert error.mean() < 6


async def encoded(encoder: SharedEncoder, viewer: Subscription, count: int, size: int = 64) -> list[av.Packet]:
    """Put pictures one by one and take their packets."""
    packets = []
    for number in range(count):
        encoder.put(picture(number, size))
        packets.append(await asyncio.wait_for(viewer.next(), 10))
    return packets


@pytest.mark.parametrize("codec", list(Codec))
def test_one_key_frame_for_all_who_ask(codec, monkeypatch):
    """Many requests within the interval make one key frame; one after it another."""
    clock = [1000.0]
    monkeypatch.setattr("live.streaming.encoder.time.monotonic", lambda: clock[0])

    async def work():
        metrics = Metrics()
        encoder = SharedEncoder(asyncio.get_running_loop(), metrics, codec)
        viewer = encoder.subscribe()
        keys = [p.is_keyframe for p in await encoded(encoder, viewer, 3)]
        for _ in range(5):
            encoder.request_keyframe()
        keys += [p.is_keyframe for p in await encoded(encoder, viewer, 3)]
        clock[0] += 1
        keys += [p.is_keyframe for p in await encoded(encoder, viewer, 3)]
        encoder.close()
        assert metrics.counts()["bytes"] > 0
        return keys

    assert asyncio.run(work()) == [True, False, False, False, False, False, True, False, False]


def test_without_viewers_nothing_is_encoded():
    async def work():
        metrics = Metrics()
        encoder = SharedEncoder(asyncio.get_running_loop(), metrics)
        for number in range(5):
            encoder.put(picture(number))
        viewer = encoder.subscribe()
        await encoded(encoder, viewer, 1)
        encoder.unsubscribe(viewer)
        encoder.close()
        return metrics.histograms()["encode"][0][-1]

    assert asyncio.run(work()) == 1


def test_another_size_begins_anew():
    async def work():
        encoder = SharedEncoder(asyncio.get_running_loop(), Metrics())
        viewer = encoder.subscribe()
        await encoded(encoder, viewer, 3)
        larger = await encoded(encoder, viewer, 2, size=96)
        encoder.close()
        return larger

    first, second = asyncio.run(work())
    assert first.is_keyframe and not second.is_keyframe
    decoder = av.CodecContext.create("h264", "r")
    (frame,) = [*decoder.decode(av.Packet(bytes(first))), *decoder.decode(None)]
    assert (frame.width, frame.height) == (96, 96)


def test_the_card_encodes_only_where_it_can():
    """Where there is no NVIDIA card the probe fails quietly and x264 is used."""
    assert h264_encoder() in ("libx264", "h264_nvenc")
    context = open_video(Codec.H264, 256, 256, 25, 1_000_000)
    assert context.codec.name == h264_encoder()
