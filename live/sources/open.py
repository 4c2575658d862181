"""Sources by the names of the command line."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from face.errors import UserError
from live.sources.browser import NoSource
from live.sources.camera import CameraSettings, CameraSource, cameras
from live.sources.orientation import Orientation, OrientedSource
from live.sources.source import Source
from live.sources.video_file import DEMO_CLIP, FileSource


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """How to open a source.

    Attributes:
        paced: deliver a file at its own rate, as a camera would; otherwise as fast as it is taken.
        loop: start a file over at its end.
        camera: what is asked of a webcam.
        orientation: how to turn its images.
    """

    paced: bool = True
    loop: bool = True
    camera: CameraSettings = field(default_factory=CameraSettings)
    orientation: Orientation = field(default_factory=Orientation)


def open_source(text: str, settings: SourceSettings | None = None) -> Source:
    """Source named on the command line: ``auto``, ``camera:N``, ``browser``, ``demo`` or a file.

    Raises:
        UserError: it cannot be opened.
    """
    settings = settings or SourceSettings()
    source = _open(text, settings)
    return source if settings.orientation == Orientation() else OrientedSource(source, settings.orientation)


def _open(text: str, settings: SourceSettings) -> Source:
    paced, loop = settings.paced, settings.loop
    if text == "auto":
        for index in cameras():
            with contextlib.suppress(UserError):
                return CameraSource(index, settings.camera)
        return FileSource(DEMO_CLIP, loop, paced, f"no webcam found, so the demo clip {DEMO_CLIP.name}")
    if text.startswith("camera:"):
        if not text[7:].isdigit():
            raise UserError(f"'{text}' names no camera: write camera:0 for the first, or see --source list.")
        return CameraSource(int(text[7:]), settings.camera)
    if text == "browser":
        return NoSource()
    if text == "demo":
        return FileSource(DEMO_CLIP, loop, paced, f"the demo clip {DEMO_CLIP.name}")
    if not Path(text).is_file():
        raise UserError(f"There is no video {text}: give a file, camera:N, browser or demo.")
    return FileSource(Path(text), loop, paced)
