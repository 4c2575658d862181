"""Key frames asked for: by viewers that lost packets, and of a camera whose frames were skipped.

When packets of a camera are lost, aiortc itself asks. Like ``aiortc_patches``, this reaches into
private parts of the versions that ``aiortc_version`` requires.
"""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.jitterbuffer import JitterFrame

_MOST_ENCODED = 8  # frames of a camera that may wait to be decoded
_MOST_ARRIVALS = 64
_ASK_EVERY = 30  # skipped frames: a request for a key frame may be lost
_IDR = 5  # NAL unit type of a key frame (H.264, table 7-1)


def on_keyframe_request(sender: RTCRtpSender, request: Callable[[], None]) -> None:
    """Send a viewer's picture loss indications (PLI) to the shared encoder; the sender's own encoder never runs."""
    sender._send_keyframe = request


def skip_when_behind(receiver: RTCRtpReceiver, on_skip: Callable[[], None]) -> dict[int, float]:
    """Skip encoded frames of a camera that sends more than can be decoded, up to a key frame, which is asked for.

    aiortc's decoder has a queue without bound: frames would come later and later.

    Args:
        receiver: of the camera.
        on_skip: called with each frame that is skipped.

    Returns:
        when the last frames arrived, seconds on the monotonic clock, by their ``pts``.
    """
    waiting: queue.Queue = receiver._RTCRtpReceiver__decoder_queue
    put = waiting.put
    skipped = 0
    arrivals: dict[int, float] = {}

    def put_unless_behind(task: tuple[Any, JitterFrame] | None) -> None:
        nonlocal skipped
        if task is not None and (waiting.qsize() >= _MOST_ENCODED or (skipped and not _is_key(*task))):
            if skipped % _ASK_EVERY == 0:
                receiver._RTCRtpReceiver__decoder_error.set()  # as after a loss: with the next packet it asks
            skipped += 1
            on_skip()
            return
        skipped = 0
        if task is not None:
            arrivals[task[1].timestamp] = time.monotonic()
            if len(arrivals) > _MOST_ARRIVALS:
                del arrivals[next(iter(arrivals))]
        put(task)

    waiting.put = put_unless_behind  # type: ignore[method-assign, assignment]
    return arrivals


def _is_key(codec: Any, frame: JitterFrame) -> bool:
    if codec.mimeType.lower() == "video/vp8":
        return bool(frame.data) and not frame.data[0] & 1  # RFC 6386, 9.1
    return any(
        frame.data[start.end()] & 0x1F == _IDR for start in re.finditer(rb"\x00\x00\x01(?=.)", frame.data, re.DOTALL)
    )
