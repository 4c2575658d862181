"""Frames as YUV4MPEG2, which ``ffmpeg``, ``mpv`` and others read from a pipe."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from live.outputs.steady import RATE
from live.streaming.media.rgb_to_yuv import yuv_frame


class Y4mWriter:
    """Writes images of one size to a stream: 4:2:0, BT.601, limited range, as they are streamed.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._begun = stream, False

    def write(self, image: np.ndarray) -> None:  # [H, W, 3] uint8 RGB, contiguous, even sides
        """Write an image.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        frame = yuv_frame(image)
        if not self._begun:
            self._begun = True
            header = f"YUV4MPEG2 W{frame.width} H{frame.height} F{RATE}:1 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED\n"
            self._stream.write(header.encode())
        self._stream.write(b"FRAME\n" + frame.to_ndarray().tobytes())
        self._stream.flush()
