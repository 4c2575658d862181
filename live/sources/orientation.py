"""A source turned and mirrored."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from live.frames import Frame, Media
from live.sources.source import Emit, Source


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """How a source's images are to be shown.

    Attributes:
        rotate_deg: clockwise, a multiple of 90.
        mirror: left and right exchanged, after turning.
    """

    rotate_deg: int = 0
    mirror: bool = False

    def apply(self, image: np.ndarray) -> np.ndarray:
        """An image ``[H, W, C]`` so oriented, contiguous."""
        image = np.rot90(image, -self.rotate_deg // 90)
        return np.ascontiguousarray(image[:, ::-1] if self.mirror else image)


class OrientedSource:
    """Another source, its frames turned and mirrored."""

    def __init__(self, source: Source, orientation: Orientation) -> None:
        self.name = source.name
        self._source, self._orientation = source, orientation

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Deliver what the source delivers."""

        def oriented(media: Media) -> None:
            if isinstance(media, Frame):
                media = replace(media, image=self._orientation.apply(media.image))
            emit(media)

        self._source.run(oriented, stop)
