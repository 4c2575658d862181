"""Meshes in Wavefront's OBJ format, as MakeHuman writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ObjMesh:
    """A mesh of polygons.

    Attributes:
        vertices: ``[V, 3]`` float64.
        uvs: ``[T, 2]`` float64; one of zeros if the file has none.
        faces, face_uvs: per polygon, indices of its corners' vertices and uvs.
        groups: per polygon, the name of its group.
    """

    vertices: np.ndarray
    uvs: np.ndarray
    faces: list[list[int]]
    face_uvs: list[list[int]]
    groups: np.ndarray


def read_obj(lines: Iterable[str]) -> ObjMesh:
    """Read a mesh from the lines of an OBJ file; normals and materials are passed over."""
    vertices, uvs, faces, face_uvs, groups = [], [], [], [], []
    group = ""
    for line in lines:
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(w) for w in words[1:4]])
        elif words[0] == "vt":
            uvs.append([float(w) for w in words[1:3]])
        elif words[0] == "g":
            group = words[1] if len(words) > 1 else ""
        elif words[0] == "f":
            corners = [w.split("/") for w in words[1:]]
            faces.append([int(c[0]) - 1 for c in corners])
            face_uvs.append([int(c[1]) - 1 if len(c) > 1 and c[1] else 0 for c in corners])
            groups.append(group)
    return ObjMesh(np.array(vertices), np.array(uvs or [[0.0, 0.0]]), faces, face_uvs, np.array(groups))
