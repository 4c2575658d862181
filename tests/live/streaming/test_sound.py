"""Sound leaves with the picture of the same time."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time

import av
import numpy as np
import pytest

from face.video import VideoWriter
from live.frames import SOUND_RATE, Frame, Sound
from live.metrics import Metrics
from live.sources.sound_file import read_sound
from live.sources.video_file import _SOUND_AHEAD_S, FileSource
from live.streaming.media.audio_relay import _PLAYER_S, SoundRelay
from live.streaming.media.codecs import SOUND_FRAME
from live.streaming.media.video_encoder import Subscription

pytestmark = pytest.mark.fast


def tone(start_s: float, seconds: float) -> np.ndarray:
    """A 440-Hz tone, ``[n, 2]`` int16."""
    t = start_s + np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    return np.repeat((8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)[:, None], 2, axis=1)


def decoded(packets: list[av.Packet]) -> np.ndarray:
    """Left channel of Opus packets."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout, decoder.format = SOUND_RATE, "stereo", "s16"
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(bytes(packet)))]
    return np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in frames])


async def admitted(relay: SoundRelay) -> Subscription:
    """A listener of a relay that lets one in at once."""
    listener, let_in = relay.subscribe(), asyncio.Event()
    asyncio.get_running_loop().call_later(0, let_in.set)  # behind the relay's own timer
    await let_in.wait()
    return listener


def relayed(pieces: list[Sound], latency_s: float) -> tuple[list[av.Packet], list[float]]:
    """Packets that a listener gets, and when."""

    async def work():
        metrics = Metrics()
        metrics.encoded(latency_s)
        loop = asyncio.get_running_loop()
        relay = SoundRelay(loop, metrics, settle_s=0)
        listener = await admitted(relay)
        for piece in pieces:
            relay.put(piece)
        packets, times = [], []
        for _ in range(sum(len(piece.samples) for piece in pieces) // SOUND_FRAME - 1):
            packets.append(await asyncio.wait_for(listener.next(), 10))
            times.append(time.monotonic())
        relay.unsubscribe(listener)
        relay.close()
        return packets, times

    return asyncio.run(work())


def test_sound_waits_as_long_as_pictures_take_less_what_browsers_hold_back():
    begin = time.monotonic()
    pieces = [Sound(tone(k * 0.02, 0.02), begin + k * 0.02) for k in range(20)]
    packets, times = relayed(pieces, latency_s=0.3)
    assert times[0] - begin >= 0.3 - _PLAYER_S
    steps = np.diff([packet.pts for packet in packets])
    assert (steps == SOUND_FRAME).all()
    heard = decoded(packets).astype(float)[4 * SOUND_FRAME :]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(np.argmax(spectrum) * SOUND_RATE / len(heard) - 440) < 10


@pytest.mark.parametrize(("pictures_s", "wait_s"), [(0.0, 0.0), (0.01, -0.005), (0.07, 0.005), (0.35, 0.31)])
def test_what_sound_waits_for_moves_in_small_steps_or_begins_anew(pictures_s, wait_s):
    async def wait() -> float:
        metrics = Metrics()
        if pictures_s:
            metrics.encoded(pictures_s)
        relay = SoundRelay(asyncio.get_running_loop(), metrics)
        relay._latency_s = 0.0
        assert relay._latency() == relay._latency()  # looked at again only after a while
        return relay._latency()

    assert asyncio.run(wait()) == pytest.approx(wait_s)


def test_a_metric_of_whatever_name_does_not_move_sound():
    """What the page's table is called is nobody else's concern."""

    async def wait() -> float:
        metrics = Metrics()
        metrics.encoded(0.3)
        for name in list(metrics.percentiles()):
            for _ in range(9):
                metrics.record(name, 5.0)
        return SoundRelay(asyncio.get_running_loop(), metrics)._latency()

    assert asyncio.run(wait()) == pytest.approx(0.3 - _PLAYER_S)


def test_what_the_first_listeners_sound_waits_for_is_what_pictures_take():
    async def waits() -> tuple[float, ...]:
        metrics = Metrics()
        relay = SoundRelay(asyncio.get_running_loop(), metrics, settle_s=0)
        unknown = relay._latency()
        metrics.encoded(0.09)
        return unknown, relay._latency()

    assert asyncio.run(waits()) == pytest.approx((0.0, 0.09 - _PLAYER_S))


def test_a_listener_hears_nothing_until_its_pictures_have_settled():
    """Nor does one that has gone by then."""

    async def work() -> None:
        relay = SoundRelay(asyncio.get_running_loop(), Metrics(), settle_s=0.2)
        listener, gone = relay.subscribe(), relay.subscribe()
        relay.unsubscribe(gone)
        begin = time.monotonic()

        async def talk() -> None:
            for k in itertools.count():
                relay.put(Sound(tone(k * 0.02, 0.02), begin + k * 0.02))
                await asyncio.sleep(0.02)

        talking = asyncio.ensure_future(talk())
        first = await asyncio.wait_for(listener.next(), 10)
        assert time.monotonic() - begin >= 0.2 and first.pts < SOUND_FRAME
        assert relay._subscriptions == {listener}
        talking.cancel()
        relay.close()

    asyncio.run(work())


def test_how_far_sound_is_ahead_of_pictures():
    async def work() -> None:
        metrics = Metrics()
        metrics.encoded(0.025)
        relay = SoundRelay(asyncio.get_running_loop(), metrics, settle_s=0)
        assert relay.ahead_ms is None
        listener = await admitted(relay)
        relay.put(Sound(tone(0, 0.04), time.monotonic() - 0.3))
        await asyncio.wait_for(listener.next(), 10)
        assert relay.ahead_ms == pytest.approx(-275, abs=200) and relay.ahead_ms < -270
        relay.close()

    asyncio.run(work())


def test_pieces_of_any_length_become_packets():
    begin = time.monotonic()
    cuts = np.cumsum([0, 441, 1000, 17, 3000, 2222])
    sound = tone(0, 0.2)
    pieces = [Sound(sound[a:b], begin + a / SOUND_RATE) for a, b in zip(cuts, cuts[1:], strict=False)]
    packets, _ = relayed(pieces, latency_s=0.0)
    assert len(packets) == cuts[-1] // SOUND_FRAME - 1


def test_silence_between_two_sounds_stays():
    begin = time.monotonic()
    pieces = [Sound(tone(0, 0.1), begin), Sound(tone(0, 0.1), begin + 0.5)]
    packets, _ = relayed(pieces, latency_s=0.0)
    steps = np.diff([packet.pts for packet in packets]) / SOUND_RATE
    assert np.isclose(steps.max(), 0.42, atol=0.021) and (np.delete(steps, steps.argmax()) == 0.02).all()


def film(path, seconds: float = 1.0):
    """A video with a tone; the first second of a talking file."""
    with av.open(str(path), "w") as sink:
        video, audio = sink.add_stream("libx264", rate=25), sink.add_stream("aac", rate=44_100)
        video.width = video.height = 64
        for _ in range(int(seconds * 25)):
            sink.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        t = np.arange(int(seconds * 44_100)) / 44_100
        wave = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        frame.sample_rate = 44_100
        for piece in av.AudioResampler("fltp", "stereo", 44_100, 1024).resample(frame):
            sink.mux(audio.encode(piece))
        sink.mux([*video.encode(), *audio.encode()])
    return path


def test_a_files_sound_is_read_at_48_khz(tmp_path):
    pieces = list(read_sound(film(tmp_path / "a.mp4"), 0.0))
    assert all(samples.dtype == np.int16 and samples.shape[1] == 2 for samples, _ in pieces)
    assert 0.9 < sum(len(samples) for samples, _ in pieces) / SOUND_RATE < 1.1
    assert np.allclose(np.diff([time_s for _, time_s in pieces]), 0.02, atol=1e-3)


def test_a_file_without_sound_has_none(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert list(read_sound(tmp_path / "a.mp4", 0.0)) == [] and list(read_sound(tmp_path / "none.mp4", 0.0)) == []


def test_a_file_gives_sound_and_pictures_of_one_clock(tmp_path):
    media: list[Frame | Sound] = []
    FileSource(film(tmp_path / "a.mp4", 0.6), loop=False).run(media.append, threading.Event())
    frames = [one for one in media if isinstance(one, Frame)]
    sounds = [one for one in media if isinstance(one, Sound)]
    assert len(frames) == 15 and sounds
    assert abs(sounds[0].captured_s - frames[0].captured_s) < 0.03
    assert not any(isinstance(one, Sound) for one in _unpaced(tmp_path / "a.mp4"))


def test_sound_that_a_file_would_hand_in_late_is_left_out(tmp_path):
    heard: list[float] = []
    late: list[float] = []

    def emit(media: Frame | Sound) -> None:
        if isinstance(media, Sound):
            heard.append(media.captured_s)
            late.append(time.monotonic() - media.captured_s)
        elif media.number == 5:
            time.sleep(_SOUND_AHEAD_S + 0.4)  # the source's thread is held up

    FileSource(film(tmp_path / "a.mp4", 1.4), loop=False).run(emit, threading.Event())
    assert np.diff(heard).max() > 0.3 and max(late) < 0.3


def _unpaced(path):
    media = []
    FileSource(path, loop=False, paced=False).run(media.append, threading.Event())
    return media
