"""One encode for all: key frames when somebody needs one, and nobody waits for a slow viewer."""

from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction

import av
import httpx
import numpy as np
import pytest
from live_parts import pipeline
from starlette.applications import Starlette

from live.frames import Generated
from live.metrics import Metrics
from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.health_metrics import Operations
from live.streaming.media.codecs import Codec, h264_encoder, open_video
from live.streaming.media.rgb_to_yuv import yuv_frame
from live.streaming.media.video_encoder import SharedEncoder, Subscription
from live.streaming.session import Session, Sessions

pytestmark = pytest.mark.fast


def packet(key: bool = False) -> av.Packet:
    made = av.Packet(b"x")
    made.is_keyframe = key
    return made


def picture(number: int, size: int = 64) -> Generated:
    image = np.full((size, size, 3), 40 + number % 100, np.uint8)
    image[: size // 2, : number % size] = 200
    return Generated(image, None, time.monotonic())


def unexpected(error: Exception) -> None:
    raise error


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


def test_where_no_frame_may_be_dropped_a_slow_encoder_is_waited_for():
    loop = asyncio.new_event_loop()
    metrics = Metrics()
    encoder = SharedEncoder(loop, metrics, unexpected, drop=False)
    encoder.subscribe()
    for k in range(20):  # far faster than they can be encoded
        encoder.put(picture(k, size=512))
    encoder.close()
    counts, _ = metrics.histograms()["encode"]
    assert counts[-1] == 20
    loop.close()


def samples(plane: av.video.plane.VideoPlane) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def test_yuv_is_what_libswscale_makes_of_it():
    colors = [[(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(255, 255, 255), (0, 0, 0), (180, 120, 90)]]
    image = np.kron(np.array(colors), np.ones((32, 32, 1))).astype(np.uint8)
    wanted = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
    for found, plane in zip(yuv_frame(image).planes, wanted.planes, strict=True):
        side = plane.height // 2  # of a color's square; libswscale blurs chroma over its border
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
    monkeypatch.setattr("live.streaming.media.video_encoder.time.monotonic", lambda: clock[0])

    async def work():
        metrics = Metrics()
        encoder = SharedEncoder(asyncio.get_running_loop(), metrics, unexpected, codec)
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
        encoder = SharedEncoder(asyncio.get_running_loop(), metrics, unexpected)
        for number in range(5):
            encoder.put(picture(number))
        viewer = encoder.subscribe()
        await encoded(encoder, viewer, 1)
        encoder.unsubscribe(viewer)
        encoder.close()
        return metrics.histograms()["encode"][0][-1]

    assert asyncio.run(work()) == 1


def test_who_joins_a_still_source_gets_its_last_frame_at_once_and_then_again(monkeypatch):
    """Heartbeats: what was lost of a still picture is noticed only when something follows."""
    monkeypatch.setattr("live.streaming.media.video_encoder._HEARTBEAT_S", 30.0)

    async def work():
        metrics = Metrics()
        encoder = SharedEncoder(asyncio.get_running_loop(), metrics, unexpected, newest=lambda: picture(3))
        first = await asyncio.wait_for(encoder.subscribe().next(), 10)
        encoder.close()
        monkeypatch.setattr("live.streaming.media.video_encoder._HEARTBEAT_S", 0.05)
        encoder = SharedEncoder(asyncio.get_running_loop(), metrics, unexpected, newest=lambda: picture(3))
        viewer = encoder.subscribe()
        again = [await asyncio.wait_for(viewer.next(), 10) for _ in range(3)]
        encoder.close()
        assert metrics.latency_s() is None  # how old a still picture is, is no latency
        return first, again

    first, again = asyncio.run(work())
    assert first.is_keyframe and [packet.is_keyframe for packet in again] == [True, False, False]
    assert again[0].pts < again[1].pts < again[2].pts
    decoder = av.CodecContext.create("h264", "r")
    (frame,) = [*decoder.decode(av.Packet(bytes(first))), *decoder.decode(None)]
    assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture(3).image).mean() < 6


def test_another_size_begins_anew():
    async def work():
        encoder = SharedEncoder(asyncio.get_running_loop(), Metrics(), unexpected)
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


class Failing:
    """An encoder whose pictures with certain numbers fail; counts over all that are opened."""

    def __init__(self, fails: set[int]) -> None:
        self._fails, self._number = fails, -1

    def open(self, *given) -> Failing:
        self._context = open_video(*given)
        self.width, self.height, self.time_base = *given[1:3], self._context.time_base
        return self

    def encode(self, frame: av.VideoFrame) -> list[av.Packet]:
        self._number += 1
        if self._number in self._fails:
            raise av.error.ExternalError(1, "the card has fallen off the bus")
        return self._context.encode(frame)


def test_an_encoder_that_fails_once_is_opened_anew(monkeypatch):
    """Its viewers go on with a key frame, and time stamps go on."""
    said: list[str] = []
    opened_anew = threading.Event()
    monkeypatch.setattr("live.streaming.media.video_encoder.open_video", Failing({2}).open)
    monkeypatch.setattr(
        "live.streaming.media.video_encoder.logger.warning",
        lambda text, *values: (said.append(text % values), opened_anew.set()),
    )

    async def work():
        encoder = SharedEncoder(asyncio.get_running_loop(), Metrics(), unexpected)
        viewer = encoder.subscribe()
        packets = await encoded(encoder, viewer, 2)
        encoder.put(picture(2))
        assert await asyncio.to_thread(opened_anew.wait, 30)  # a newer picture would replace the one that is to fail
        packets += await encoded(encoder, viewer, 2)
        encoder.close()
        return packets

    packets = asyncio.run(work())
    assert [p.is_keyframe for p in packets] == [True, False, True, False]
    times = [p.pts for p in packets]
    assert times == sorted(set(times))
    assert len(said) == 1 and "H264" in said[0] and "fallen off the bus" in said[0]


@pytest.mark.parametrize(("seconds_between", "given_up"), [(1, True), (100, False)])
def test_an_encoder_that_fails_again_soon_is_given_up(monkeypatch, seconds_between, given_up):
    clock = [1000.0]
    monkeypatch.setattr("live.streaming.media.video_encoder.time.monotonic", lambda: clock[0])

    class Passing(Failing):
        def encode(self, frame):
            clock[0] += seconds_between
            return super().encode(frame)

    monkeypatch.setattr("live.streaming.media.video_encoder.open_video", Passing({0, 1}).open)

    async def work():
        reasons: list[Exception] = []
        encoder = SharedEncoder(asyncio.get_running_loop(), Metrics(), reasons.append)
        viewer = encoder.subscribe()
        came = asyncio.ensure_future(viewer.next())
        while not (came.done() or reasons):
            encoder.put(picture(0))
            await asyncio.sleep(0)
        came.cancel()
        encoder.close()
        return [str(reason) for reason in reasons]

    reasons = asyncio.run(work())
    assert len(reasons) == given_up and all("fallen off the bus" in reason for reason in reasons)


def test_a_session_whose_encoder_is_given_up_ends_and_the_probe_says_why(model, module_target, monkeypatch):
    monkeypatch.setattr("live.streaming.media.video_encoder.open_video", Failing(set(range(99))).open)

    async def work():
        loop = pipeline(model, module_target, FileSource(DEMO_CLIP), drop=True)
        ended = threading.Event()
        loop.on_end = ended.set
        sessions = Sessions(loop, asyncio.get_running_loop(), None)
        probes = Starlette(routes=Operations(lambda: sessions, lambda: False, None).routes())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(probes), base_url="http://here") as client:
            assert (await client.get("/healthz")).text == "ok"
            sessions.main.encoder(Codec.VP8).subscribe()
            loop.start()
            assert await asyncio.to_thread(ended.wait, 60)
            health, readiness = await client.get("/healthz"), await client.get("/readyz")
        await sessions.close()
        loop.stop()
        return health, readiness

    health, readiness = asyncio.run(work())
    assert health.status_code == 500 and readiness.status_code == 503
    assert health.text.startswith("The encode VP8 stage failed:") and "fallen off the bus" in health.text


def test_a_session_that_closes_does_not_hold_up_everybody_else(model, target_info, monkeypatch):
    """Its encoder is amid a picture, and ends only once the event loop has done something else."""
    amid, go_on = threading.Event(), threading.Event()

    class Slow(Failing):
        def encode(self, frame):
            amid.set()
            assert go_on.wait(4), "the event loop waited for this"
            return super().encode(frame)

    monkeypatch.setattr("live.streaming.media.video_encoder.open_video", Slow(set()).open)

    async def work():
        loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)
        session = Session(loop, asyncio.get_running_loop(), None)
        session.encoder(Codec.H264).subscribe()
        loop.start()
        assert await asyncio.to_thread(amid.wait, 60)
        asyncio.get_running_loop().call_soon(go_on.set)
        await session.close()
        loop.stop()
        return loop.error

    assert asyncio.run(work()) is None
    assert go_on.is_set() and not [t for t in threading.enumerate() if t.name.startswith("encode")]


def test_the_card_encodes_only_where_it_can():
    """Where there is no NVIDIA card the probe fails quietly and x264 is used."""
    assert h264_encoder() in ("libx264", "h264_nvenc")
    context = open_video(Codec.H264, 256, 256, 25, 1_000_000)
    assert context.codec.name == h264_encoder()
