"""One H.264 encode for every viewer: encoded packets are handed out, not pictures."""

from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction

import av
import numpy as np

from live.frames import Generated
from live.mailbox import Closed, Mailbox
from live.metrics import Metrics

BIT_RATE = 2_000_000
_CLOCK = 90_000
_KEYFRAME_INTERVAL_S = 0.3  # requests closer together are answered by one key frame
_LONGEST_QUEUE = 8  # packets a slow viewer may be behind before it waits for a key frame


class Subscription:
    """One viewer's packets; lives on the event loop."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[av.Packet] = asyncio.Queue()
        self._waiting_for_key = True

    def push(self, packet: av.Packet) -> bool:
        """Offer a packet; ``False`` when the viewer fell behind and needs a key frame."""
        if self._queue.qsize() > _LONGEST_QUEUE:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._waiting_for_key = True
        if self._waiting_for_key and not packet.is_keyframe:
            return False
        self._waiting_for_key = False
        self._queue.put_nowait(packet)
        return True

    async def next(self) -> av.Packet:
        """The next packet, when there is one."""
        return await self._queue.get()


class SharedEncoder:
    """Encodes the newest picture on a thread of its own and hands the packets to all subscriptions.

    Args:
        loop: the event loop on which subscriptions live.
        metrics: gets the stage ``encode`` and the age of what is sent.
        rate: frames per second that rate control assumes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics, rate: int = 25) -> None:
        self._loop, self._metrics, self._rate = loop, metrics, rate
        self._mailbox: Mailbox[Generated] = Mailbox()
        self._subscriptions: set[Subscription] = set()
        self._want_key = threading.Event()
        self._codec: av.VideoCodecContext | None = None
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)
        self._thread.start()

    def put(self, generated: Generated) -> None:
        """Encode this picture unless a newer one comes first; never blocks."""
        try:
            self._mailbox.put(generated)
        except Closed:
            pass

    def subscribe(self) -> Subscription:
        """A new viewer; it begins with a key frame."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        self.request_keyframe()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """A viewer has gone."""
        self._subscriptions.discard(subscription)

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

    def _open(self, image: np.ndarray) -> av.VideoCodecContext:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.height, codec.width = image.shape[:2]
        codec.pix_fmt = "yuv420p"
        codec.bit_rate = BIT_RATE
        codec.framerate = Fraction(self._rate, 1)
        codec.time_base = Fraction(1, _CLOCK)
        codec.gop_size = 3000
        codec.thread_count = 1
        codec.profile = "Baseline"
        codec.options = {
            "preset": "superfast", "tune": "zerolatency", "level": "31", "forced-idr": "1",
            "maxrate": str(BIT_RATE), "bufsize": str(BIT_RATE // 4),
        }  # fmt: skip
        return codec

    def _run(self) -> None:
        last_key_s = -1.0
        last_pts = -1
        begin_s = time.monotonic()
        while True:
            try:
                generated = self._mailbox.take()
            except Closed:
                return
            with self._metrics.stage("encode"):
                if self._codec is None:
                    self._codec = self._open(generated.image)
                frame = av.VideoFrame.from_ndarray(generated.image, format="rgb24")
                last_pts = frame.pts = max(last_pts + 1, int((time.monotonic() - begin_s) * _CLOCK))
                frame.time_base = self._codec.time_base
                now = time.monotonic()
                if self._want_key.is_set() and now - last_key_s > _KEYFRAME_INTERVAL_S:
                    self._want_key.clear()
                    last_key_s = now
                    frame.pict_type = av.video.frame.PictureType.I
                packets = self._codec.encode(frame)
            self._metrics.sent(generated.captured_s)
            try:
                self._loop.call_soon_threadsafe(self._hand_out, packets)
            except RuntimeError:  # the event loop has closed: the program is ending
                return

    def _hand_out(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # A list: every subscription must get the packet, whatever the others say.
            behind = [not s.push(packet) for s in self._subscriptions]
            if any(behind):
                self.request_keyframe()
