"""Tells a publisher that sends more than can be decoded to send less, by REMB (draft-alvestrand-rmcat-remb-03).

aiortc sends these estimates of the line's bitrate; here they are also held below a limit. Like ``aiortc_patches``, this
reaches into private parts of the versions that ``aiortc_version`` requires.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aiortc import RTCRtpReceiver

LEAST = 300_000  # bit/s, which the answer names as the least, too
_CHANGE_EVERY_MS = 500  # as often as aiortc estimates
_CUT, _RISE = 0.85, 1.04  # as for a congested line (draft-ietf-rmcat-gcc-02, 5.5): 8 % more in a second


def limit_while_skipping(receiver: RTCRtpReceiver) -> Callable[[], None]:
    """Cut the estimates that a publisher of video is sent while frames are skipped, and let them rise slowly after.

    Returns:
        to call with each frame that is skipped.
    """
    estimator = receiver._RTCRtpReceiver__remote_bitrate_estimator
    estimate = estimator.add
    limit, changed_ms, skipped = math.inf, -_CHANGE_EVERY_MS, False

    def add(abs_send_time: int, arrival_time_ms: int, payload_size: int, ssrc: int) -> tuple[int, list[int]] | None:
        nonlocal limit, changed_ms, skipped
        estimated = estimate(arrival_time_ms, abs_send_time, payload_size, ssrc)
        if estimated is None:
            return None
        bitrate, sources = estimated
        if arrival_time_ms - changed_ms >= _CHANGE_EVERY_MS:  # a congested line is estimated with each packet
            arriving = estimator.rate_control.latest_estimated_throughput
            limit = max(LEAST, _CUT * min(limit, bitrate, arriving)) if skipped else _RISE * limit
            changed_ms, skipped = arrival_time_ms, False
        return int(min(bitrate, limit)), sources

    def note_skipped() -> None:
        nonlocal skipped
        skipped = True

    estimator.add = add
    return note_skipped
