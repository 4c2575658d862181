"""Sources by the names of the command line."""

from __future__ import annotations

from pathlib import Path

from face.errors import UserError
from live.sources.browser import NoSource
from live.sources.camera import CameraSource, cameras
from live.sources.source import Source
from live.sources.video_file import DEMO_CLIP, FileSource


def open_source(text: str, paced: bool = True, loop: bool = True) -> Source:
    """Source named on the command line: ``auto``, ``camera:N``, ``browser``, ``demo`` or a file.

    Raises:
        UserError: it cannot be opened.
    """
    if text == "auto":
        for index in cameras():
            try:
                return CameraSource(index)
            except UserError:
                continue
        return FileSource(DEMO_CLIP, loop, paced, f"no webcam found, so the demo clip {DEMO_CLIP.name}")
    if text.startswith("camera:"):
        if not text[7:].isdigit():
            raise UserError(f"'{text}' names no camera: write camera:0 for the first.")
        return CameraSource(int(text[7:]))
    if text == "browser":
        return NoSource()
    if text == "demo":
        return FileSource(DEMO_CLIP, loop, paced, f"the demo clip {DEMO_CLIP.name}")
    if not Path(text).exists():
        raise UserError(f"There is no video {text}: give a file, camera:N, browser or demo.")
    return FileSource(Path(text), loop, paced)
