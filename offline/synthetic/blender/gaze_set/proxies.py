"""MakeHuman's proxies: meshes of eyes, teeth, clothes and hair that follow the body they are bound to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face.errors import UserError
from offline.morphable.wavefront import read_obj


class Proxy:
    """A mesh whose vertices each hang on three vertices of the base mesh (``.mhclo``: indices, weights, offset).

    Args:
        folder: holds ``NAME.obj`` and ``NAME.mhclo``.
        name: of the proxy.

    Attributes:
        mesh: the proxy's own mesh; its faces stay, its vertices come from ``fit``.
        hidden: base vertices that the proxy covers.

    Raises:
        UserError: a file is missing.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        try:
            with (folder / f"{name}.obj").open(errors="ignore") as lines:
                self.mesh = read_obj(lines)
            binding = (folder / f"{name}.mhclo").read_text(errors="ignore")
        except OSError as error:
            raise UserError(f"Cannot read {error.filename}: give MakeHuman's assets with --assets FOLDER.") from None
        self.hidden: set[int] = set()
        self._scale_from: dict[int, tuple[int, int, float]] = {}
        self._read_binding(binding.splitlines())

    def _read_binding(self, lines: list[str]) -> None:
        corners, weights, offsets = [], [], []
        section = ""
        for words in (line.split() for line in lines if line.strip() and not line.startswith("#")):
            if words[0] in ("x_scale", "y_scale", "z_scale"):
                self._scale_from["xyz".index(words[0][0])] = int(words[1]), int(words[2]), float(words[3])
            elif words[0] in ("verts", "delete_verts"):
                section = words[0]
            elif section == "delete_verts" and words[0].isdigit():
                self.hidden |= _ranges(words)
            elif section == "verts" and words[0].isdigit():
                if len(words) == 1:
                    corners.append([int(words[0])] * 3)
                    weights.append([1.0, 0.0, 0.0])
                else:
                    corners.append([int(w) for w in words[:3]])
                    weights.append([float(w) for w in words[3:6]])
                offsets.append([float(w) for w in words[6:9]] if len(words) >= 9 else [0.0, 0.0, 0.0])
        self._corners, self._weights, self._offsets = np.array(corners), np.array(weights), np.array(offsets)

    def fit(self, body: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Vertices ``[V, 3]`` on a deformed base mesh; how large the offsets are is taken from the rest shape."""
        scale = np.ones(3)
        for axis, (a, b, distance) in self._scale_from.items():
            scale[axis] = abs(rest[a, axis] - rest[b, axis]) / distance
        return (body[self._corners] * self._weights[..., None]).sum(1) + self._offsets * scale


def _ranges(words: list[str]) -> set[int]:
    """Numbers of a line such as ``3 5 - 8 12``."""
    found: set[int] = set()
    position = 0
    while position < len(words):
        if position + 2 < len(words) and words[position + 1] == "-":
            found |= set(range(int(words[position]), int(words[position + 2]) + 1))
            position += 3
        else:
            found.add(int(words[position]))
            position += 1
    return found
