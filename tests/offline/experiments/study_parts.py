"""A small study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from face.video import VideoWriter
from offline.evaluate.report import write_json
from offline.experiments.study.catalogue import Catalogue, Clip, Comparison, Kind


def make_study(folder: Path) -> Path:
    """The folder, with clips and their catalogue: two people, real and synthesized, and a comparison."""
    clips = [Clip(f"{kind.value}-{person}", kind, person) for person in ("anna", "ben") for kind in Kind]
    catalogue = Catalogue(clips, [Comparison("pair", "real-anna", "driven-ben", "frame-by-frame")])
    (folder / "clips").mkdir()
    for number, name in enumerate([*(clip.id for clip in clips), "frame-by-frame"]):
        with VideoWriter(folder / "clips" / f"{name}.mp4", 25) as video:
            for k in range(10):
                video.write(np.full((64, 64, 3), 20 * number + k, np.uint8))
    write_json(folder / "catalogue.json", asdict(catalogue))
    return folder
