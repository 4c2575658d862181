"""What happens to images on their way, by real encoders: the attacks that the watermark must survive."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import cv2
import numpy as np

Images = list[np.ndarray]
RATE = 25
_REALTIME = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "threads": "1"},
    "libx264": {"preset": "veryfast", "tune": "zerolatency", "threads": "1"},
}


def coded(images: Images, codec: str, kbit_s: int) -> Images:
    """Through an encoder at a rate, and back."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=RATE, options=_REALTIME[codec])
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", kbit_s * 1000
        for image in images:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    file.seek(0)
    return [frame.to_ndarray(format="rgb24") for frame in av.open(file).decode(video=0)]


def resized(images: Images, factor: float) -> Images:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return [cv2.resize(image, None, fx=factor, fy=factor, interpolation=how) for image in images]


def jpeg(images: Images, quality: int) -> Images:
    return [cv2.imdecode(cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1) for x in images]


def screenshot(images: Images, factor: float) -> Images:
    """On a page of 1280 x 800 px, at a size of the browser's choice, under a title."""
    shots = []
    for image in resized(images, factor):
        page = np.full((800, 1280, 3), 235, np.uint8)
        cv2.putText(page, "Head2Head Live", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)
        page[57 : 57 + image.shape[0], 311 : 311 + image.shape[1]] = image
        shots.append(page)
    return shots


ATTACKS: dict[str, Callable[[Images], Images]] = {
    "none": lambda x: x,
    "VP8, 500 kbit/s": lambda x: coded(x, "libvpx", 500),
    "H.264, 500 kbit/s": lambda x: coded(x, "libx264", 500),
    "VP8, 250 kbit/s": lambda x: coded(x, "libvpx", 250),
    "75 %": lambda x: resized(x, 0.75),
    "JPEG 70": lambda x: jpeg(x, 70),
    "VP8, then 75 %": lambda x: resized(coded(x, "libvpx", 500), 0.75),
    "H.264, then JPEG 70": lambda x: jpeg(coded(x, "libx264", 500), 70),
    "VP8, then a screenshot": lambda x: screenshot(coded(x, "libvpx", 500), 1),
    "VP8, then a screenshot at 213 %": lambda x: screenshot(coded(x, "libvpx", 500), 2.13),
    "cut to 200 x 180 px": lambda x: [image[31:211, 17:217] for image in x],
}
