"""The clips of the study: real ones and synthesized ones, all cut, sized and encoded alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np

from face.errors import UserError
from face.video import VideoWriter
from offline.evaluate.report import write_json
from offline.experiments.kept_results import file_of
from offline.experiments.pix2pix import pix2pix_variant
from offline.experiments.setup import Setup, digest
from offline.experiments.subjects import Subject
from offline.experiments.training import Variant, driven, held_out_outputs
from offline.experiments.transfer import driven_by, transferred_conditionings

_SECONDS = 5  # of a clip, as in the paper
_FILE = "catalogue.json"


class Kind(StrEnum):
    """Where a clip comes from."""

    REAL = "real"
    SELF = "self"  # the person's own held-out motion, synthesized
    DRIVEN = "driven"  # another person's motion, synthesized


@dataclass(frozen=True)
class Clip:
    """A clip, ``clips/ID.mp4``; the name tells nothing.

    Attributes:
        id: of the clip.
        kind: where it comes from.
        person: who is seen.
    """

    id: str
    kind: Kind
    person: str


@dataclass(frozen=True)
class Comparison:
    """Two clips driven by one source.

    Attributes:
        id: of the comparison.
        source: the source's clip.
        ours, baseline: clips of the networks with history and without.
    """

    id: str
    source: str
    ours: str
    baseline: str


@dataclass(frozen=True)
class Catalogue:
    """What raters are asked about: clips to rate, and pairs to compare."""

    clips: list[Clip]
    comparisons: list[Comparison]

    @staticmethod
    def read(folder: Path) -> Catalogue:
        """The catalogue in a folder.

        Raises:
            UserError: there is none, or it is of another version.
        """
        try:
            content = json.loads((folder / _FILE).read_text())
            clips = [Clip(clip["id"], Kind(clip["kind"]), clip["person"]) for clip in content["clips"]]
            return Catalogue(clips, [Comparison(**comparison) for comparison in content["comparisons"]])
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f"{folder} holds no clips of this version: make them with 'python -m offline.experiments study'."
            ) from None


def make_catalogue(setup: Setup, folder: Path) -> Catalogue:
    """Cut and encode the clips that are not there yet, and write the catalogue."""
    full, baseline = Variant("full", setup.scale.profile), pix2pix_variant(setup.scale)
    cutter = _Cutter(folder / "clips")
    clips: list[Clip] = []
    real: dict[tuple[str, int], str] = {}
    for subject in setup.subjects:
        outputs = held_out_outputs(setup, subject, full, 0)
        for piece, numbers in _pieces(subject):
            truth = subject.dataset.frames[numbers.start : numbers.stop]
            real[subject.name, piece.start] = cutter.cut(subject, truth, f"{subject.dataset.fingerprint} {numbers}")
            clips.append(Clip(real[subject.name, piece.start], Kind.REAL, subject.name))
            synthesized = cutter.cut(subject, outputs[piece], _recipe(outputs, piece))
            clips.append(Clip(synthesized, Kind.SELF, subject.name))
    comparisons: list[Comparison] = []
    for source, target in setup.pairs():
        conditionings = partial(transferred_conditionings, setup, source, target)
        images = [driven(setup, target, variant, 0, driven_by(source), conditionings) for variant in (full, baseline)]
        for piece, _ in _pieces(source):
            ours, other = (cutter.cut(target, of[piece], _recipe(of, piece)) for of in images)
            clips.append(Clip(ours, Kind.DRIVEN, target.name))
            reference = real[source.name, piece.start]
            comparisons.append(Comparison(digest({"of": [reference, ours, other]}), reference, ours, other))
    catalogue = Catalogue(clips, comparisons)
    write_json(folder / _FILE, asdict(catalogue))
    return catalogue


def _recipe(outputs: np.ndarray, piece: slice) -> str:
    """Tells pieces of outputs apart, wherever the folder lies."""
    path = file_of(outputs)
    return f"{path.parent.name} {path.name} {piece}"


def _pieces(subject: Subject) -> Iterator[tuple[slice, range]]:
    """Pieces of the held-out takes: among the held-out frames, and frame numbers; a short take is one piece."""
    length = round(_SECONDS * float(subject.dataset.manifest["rate"]))
    before = 0
    for first, last in subject.takes:
        count = max(1, (last - first) // length)
        for k in range(count):
            begin = k * length
            end = min(begin + length, last - first)
            yield slice(before + begin, before + end), range(first + begin, first + end)
        before += last - first


class _Cutter:
    """Writes clips.

    Args:
        folder: for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def cut(self, person: Subject, images: np.ndarray, recipe: str) -> str:
        """The id of a clip of images ``[T, H, W, 3]`` uint8, written if it is not there yet."""
        name = digest({"clip": recipe})
        path = self._folder / f"{name}.mp4"
        if not path.exists():
            with VideoWriter(path, float(person.dataset.manifest["rate"])) as video:
                for image in images:
                    video.write(np.asarray(image))
        return name
