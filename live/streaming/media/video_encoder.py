"""One encode for every viewer: encoded packets are handed out, not frames."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import av

from live.frames import Generated
from live.mailbox import Closed, Mailbox
from live.metrics import Metrics
from live.streaming.media.codecs import CLOCK, Codec, open_video
from live.streaming.media.rgb_to_yuv import yuv_frame

_BITS_PER_PIXEL_S = 600_000 / 256**2  # 46 dB of luma at 25 fps; more only costs packets
_KEYFRAME_INTERVAL_S = 0.3  # requests closer together are answered by one key frame
_BETWEEN_FAILURES_S = 60.0  # an encoder that fails twice within is given up
_HEARTBEAT_S = 1.0  # without a new frame the last is sent again: what was lost of it is noticed and mended
_STILL_S = 0.2  # without a new frame, a viewer that joins is not kept waiting for one
_LONGEST_QUEUE = 8  # packets a slow viewer may be behind before it waits for a key frame
logger = logging.getLogger(__name__)


class PacketSink(Protocol):
    """Takes packets as they are handed out."""

    def push(self, packet: av.Packet) -> bool:
        """Offer a packet, on the event loop; ``False`` when a key frame is needed."""
        ...


def captured_s(packet: av.Packet) -> float:
    """When what a packet holds was captured, monotonic clock, seconds."""
    assert isinstance(packet.opaque, float)
    return packet.opaque


class Subscription:
    """One viewer's packets; lives on the event loop.

    Args:
        from_key: begin with a key frame, and begin anew with one after falling behind (video).
        longest: packets that may wait.
    """

    def __init__(self, from_key: bool = True, longest: int = _LONGEST_QUEUE) -> None:
        self._queue: asyncio.Queue[av.Packet] = asyncio.Queue()
        self._from_key, self._longest = from_key, longest
        self._waiting_for_key = from_key

    def push(self, packet: av.Packet) -> bool:
        """Offer a packet; ``False`` when the viewer fell behind and needs a key frame."""
        if self._queue.qsize() >= self._longest:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._waiting_for_key = self._from_key
        if self._waiting_for_key and not packet.is_keyframe:
            return False
        self._waiting_for_key = False
        self._queue.put_nowait(packet)
        return True

    async def next(self) -> av.Packet:
        """The next packet, when there is one."""
        return await self._queue.get()


class SharedEncoder:
    """Encodes the newest frame on a thread of its own and hands the packets to all subscriptions.

    Without a subscription it rests.

    Args:
        loop: the event loop on which subscriptions live.
        metrics: gets the stages ``convert`` and ``encode``, the age of what is sent, and the count of bytes.
        fail: told why, on the encoder's thread, when it cannot go on.
        codec: H.264 or VP8.
        bitrate: bits per second; by default as many as the frame's size wants.
        rate: frames per second that rate control assumes.
        newest: gives the last frame, for who joins while there are no new ones.
        drop: a frame replaces one that still waits. Otherwise ``put`` waits until it is taken.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, metrics: Metrics, fail: Callable[[Exception], None],
        codec: Codec = Codec.H264, bitrate: int | None = None, rate: int = 25,
        newest: Callable[[], Generated | None] = lambda: None, drop: bool = True,
    ) -> None:  # fmt: skip
        self._loop, self._metrics, self._fail = loop, metrics, fail
        self._codec, self._bitrate, self._rate, self._newest = codec, bitrate, rate, newest
        self._begin_s, self._last_pts = time.monotonic(), -1
        self._put_s = -math.inf  # when a new frame last came
        self._mailbox: Mailbox[Generated] = Mailbox(drop)
        self._subscriptions: set[Subscription] = set()
        self._sinks: list[PacketSink] = []  # who take packets and do not watch
        self._want_key = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"encode {codec}", daemon=True)
        self._thread.start()

    def put(self, generated: Generated) -> None:
        """Encode this frame, or, where frames are dropped, a newer one that comes first."""
        self._put_s = time.monotonic()
        if self._subscriptions or self._sinks:
            with contextlib.suppress(Closed):
                self._mailbox.put(generated)

    def subscribe(self) -> Subscription:
        """A new viewer; it begins with a key frame."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        self._begin_anew()
        return subscription

    def _begin_anew(self) -> None:
        """Send those who join a key frame, also while there are no new frames."""
        self.request_keyframe()
        newest = self._newest()
        if newest is not None and time.monotonic() - self._put_s > _STILL_S:
            with contextlib.suppress(Closed):
                self._mailbox.put(newest)

    def unsubscribe(self, subscription: Subscription) -> None:
        """A viewer has gone."""
        self._subscriptions.discard(subscription)

    def attach(self, sink: PacketSink) -> None:
        """Hand packets to somebody who is no viewer, beginning with a key frame."""
        self._sinks.append(sink)
        self._begin_anew()

    def detach(self, sink: PacketSink) -> None:
        """Hand it no more packets."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    @property
    def viewers(self) -> int:
        """How many receive packets."""
        return len(self._subscriptions)

    def request_keyframe(self) -> None:
        """Begin anew for those who joined or lost packets; may be called from any thread."""
        self._want_key.set()

    def close(self) -> None:
        """Stop the thread."""
        self._mailbox.close()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        """Encode until closed; what fails is opened anew, unless it was just before."""
        opened_anew_s = -math.inf
        while True:
            try:
                self._encode_all()
                return
            except Exception as error:
                now = time.monotonic()
                if now - opened_anew_s < _BETWEEN_FAILURES_S:
                    self._mailbox.close()
                    self._fail(error)
                    return
                opened_anew_s = now
                logger.warning("the %s encoder failed and is opened anew: %r", self._codec, error)

    def _encode_all(self) -> None:
        context: av.VideoCodecContext | None = None
        last_key_s = -1.0
        while True:
            try:
                generated, is_new = self._next()
            except Closed:
                return
            height, width = generated.image.shape[:2]
            with self._metrics.stage("convert"):
                frame = yuv_frame(generated.image)
            with self._metrics.stage("encode"):
                if context is None or (context.width, context.height) != (width, height):
                    bitrate = self._bitrate or round(_BITS_PER_PIXEL_S * width * height)
                    context = open_video(self._codec, width, height, self._rate, bitrate)
                self._last_pts = max(self._last_pts + 1, int((time.monotonic() - self._begin_s) * CLOCK))
                frame.pts, frame.time_base = self._last_pts, context.time_base
                now = time.monotonic()
                if self._want_key.is_set() and now - last_key_s > _KEYFRAME_INTERVAL_S:
                    self._want_key.clear()
                    last_key_s = now
                    frame.pict_type = av.video.frame.PictureType.I
                packets = context.encode(frame)
            for packet in packets:
                packet.opaque = generated.captured_s if is_new else now
            if is_new:
                self._metrics.encoded(time.monotonic() - generated.captured_s)
            self._metrics.count("bytes", sum(packet.size for packet in packets))
            try:
                self._loop.call_soon_threadsafe(self._hand_out, packets)
            except RuntimeError:  # the event loop has closed: the program is ending
                return

    def _next(self) -> tuple[Generated, bool]:
        """The frame to encode, and whether it is new: the last one again where none has come for long.

        Raises:
            Closed: there will be none.
        """
        while True:
            try:
                return self._mailbox.take(_HEARTBEAT_S), time.monotonic() - self._put_s <= _STILL_S
            except TimeoutError:
                newest = self._newest() if self._subscriptions or self._sinks else None
                if newest is not None:
                    return newest, False

    def _hand_out(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # A list: every subscription must get the packet, whatever the others say.
            behind = [not sink.push(packet) for sink in (*self._subscriptions, *self._sinks)]
            if any(behind):
                self.request_keyframe()
