"""The targets that can be shown."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from face.errors import UserError
from face.morphable import MorphableModel
from face.target import TargetInfo, list_targets
from live.loaded_target import LoadedTarget
from live.target_loading import load_target, nearest_size, read_description, sizes_on
from trt_engines.gpu import Gpu

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A target file and its description."""

    path: Path
    info: TargetInfo


class Gallery:
    """Targets in some folders, by name; only these can be asked for by name, so no name leads out of them.

    A target's name is its file's, so that a copy stands beside its original. Files that cannot be shown here (made for
    another morphable model, or damaged) are left out, with a warning.

    Args:
        model: the morphable model in use.
        folders: hold target files; of two with one name the first is shown.
        others: further target files, e.g. the one given on the command line.
        gpu: where they are to run; ``None`` for the CPU. An attribute too.
    """

    def __init__(self, model: MorphableModel, folders: Sequence[Path], *others: Path, gpu: Gpu | None = None) -> None:
        self._model, self.gpu = model, gpu
        self._entries: dict[str, Entry] = {}
        for path in [*others, *(path for folder in folders for path in list_targets(folder))]:
            try:
                entry = Entry(path, read_description(path, model))
            except UserError as error:
                logger.warning("left out of the gallery: %s", error)
                continue
            self._entries.setdefault(entry.info.name, entry)
        self._warn_of_equal_titles()

    def _warn_of_equal_titles(self) -> None:
        titles: dict[str, list[str]] = {}
        for name, entry in self._entries.items():
            titles.setdefault(entry.info.title, []).append(name)
        for title, names in titles.items():
            if len(names) > 1:
                logger.warning("several targets are called %s: they are listed as %s.", title, " and ".join(names))

    def describe(self) -> list[dict[str, object]]:
        """For the page: name, title, provenance, consent record, whether there is a portrait, and sizes in px."""
        return [
            {
                "name": name,
                "title": e.info.title,
                "provenance": e.info.provenance,
                "consent": None if e.info.consent is None else asdict(e.info.consent),
                "portrait": bool(e.info.portrait),
                "sizes": sizes_on(e.info, self.gpu),
            }  # fmt: skip
            for name, e in self._entries.items()
        ]

    def portrait(self, name: str) -> bytes | None:
        """A target's portrait as JPEG, if it is in the gallery and has one."""
        entry = self._entries.get(name)
        return base64.b64decode(entry.info.portrait) if entry is not None and entry.info.portrait else None

    def load(self, name: str, size: int | None = None) -> LoadedTarget:
        """A target's parts, ready to be shown; takes a fraction of a second.

        Args:
            name: of the target.
            size: of its images, px; the nearest that there is; by default the largest.

        Raises:
            UserError: there is no such target, or it cannot be loaded.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise UserError(f"There is no target of that name: choose {' or '.join(self._entries)}.")
        nearest = None if size is None else nearest_size(entry.info, self.gpu, size)
        return load_target(entry.path, self._model, self.gpu, nearest)
