"""MakeHuman's CC0 head as a head model: what is filmed where no scanned-face kit is at hand.

Its mesh is moved and scaled so that its outer eye corners are where the scanned mean face has them: then the hairlines
and regions that are placed in head coordinates fit both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import face
from face.landmarks import IBUG_68
from offline.morphable.makehuman import MakeHuman
from offline.synthetic.blender.head import Faces, HeadModel, Lashes

_EYE_CORNERS_CM = np.array([[-4.46, 3.43, 8.6], [4.46, 3.43, 8.6]])
_LOWEST_CM, _WIDEST_CM = -17.0, 13.0  # what is kept of the body
_CM_PER_TILE = 29.0  # of the skin's detail
_MODES = 40
_MODE_GAIN = 0.55  # of a slider, for one standard deviation
_ANCESTRIES, _SEXES = ("african", "asian", "caucasian"), ("female", "male")
_TEETH = ("helper-upper-teeth", "helper-lower-teeth")
_LASH_ROWS = 5


def load(source: MakeHuman) -> HeadModel:
    """Build the head model from MakeHuman's data files."""
    young, old = _average(source, "young"), _average(source, "old")
    mean = np.mean([young[sex] for sex in _SEXES], axis=0)
    all_landmarks = _landmarks(source, mean)
    corners = mean[all_landmarks[[36, 45]]]
    scale = np.ptp(_EYE_CORNERS_CM[:, 0]) / np.ptp(corners[:, 0])

    def cm(vertices: np.ndarray) -> np.ndarray:
        return (vertices - corners.mean(0)) * scale + _EYE_CORNERS_CM.mean(0)

    base = cm(mean)
    faces: dict[str, Faces] = {}
    uv = []
    for corner_ids, uv_ids, group in zip(source.mesh.faces, source.mesh.face_uvs, source.mesh.groups, strict=True):
        middle = base[corner_ids].mean(0)
        if group != "body" or (middle[1] > _LOWEST_CM and abs(middle[0]) < _WIDEST_CM):
            faces.setdefault(str(group), []).append(corner_ids)
            if group == "body":
                uv.append(source.mesh.uvs[uv_ids])
    kept = {name: np.unique(np.concatenate([np.array(f) for f in some])) for name, some in faces.items()}
    order = np.concatenate([kept["body"]] + [v for k, v in kept.items() if k.startswith("helper-")])
    order = order[np.sort(np.unique(order, return_index=True)[1])]
    number = np.full(len(mean), -1)
    number[order] = np.arange(len(order))
    new = {
        name: [[int(number[i]) for i in f] for f in some]
        for name, some in faces.items()
        if number[kept[name]].min() >= 0
    }
    eye_corners = all_landmarks[[36, 45]]

    def anchored(moved: np.ndarray) -> np.ndarray:
        """A displacement of all vertices in cm, the eyes staying where they are: nobody grows."""
        return (moved - moved[eye_corners].mean(0))[order] * scale

    skin_uv, vertex_uv = _place_uv(uv, new["body"], base[order], len(kept["body"]))
    teeth = [f for name in _TEETH for f in new[name]]
    return HeadModel(
        name="MakeHuman's head", base=base[order],
        parts={"skin": new["body"], "socket": [], "gums": new["helper-tongue"], "teeth": teeth, "tears": [],
               "eye_l": new["helper-l-eye"], "eye_r": new["helper-r-eye"]},
        skin_vertices=len(kept["body"]), skin_uv=skin_uv, vertex_uv=vertex_uv,
        units={name: _sparse(moved[order] * scale) for name, moved in source.units.items()},
        identity=np.stack([anchored(mode) for mode in _modes(source)]), directions={
            "male": anchored(young["male"] - young["female"]),
            "old": anchored(np.mean([old[sex] - young[sex] for sex in _SEXES], axis=0)),
            **{name: anchored(_ancestry(source, name)) for name in _ANCESTRIES},
        },
        landmarks=number[all_landmarks],
        eyes={side: number[kept[f"helper-{side}-eye"]] for side in ("l", "r")},
        lashes=[
            Lashes(row == 2, _columns(new[f"helper-{side}-eyelashes-{row}"], base[order]))
            for side in "lr" for row in (1, 2)
        ],
        tooth_gap=np.zeros(len(order)),
    )  # fmt: skip


def _average(source: MakeHuman, age: str) -> dict[str, np.ndarray]:
    """An average woman and man of an age, each ``[19158, 3]``."""
    return {
        sex: source.vertices + source.macro(f"universal-{sex}-{age}-averagemuscle-averageweight")
        + np.mean([source.macro(f"{name}-{sex}-{age}") for name in _ANCESTRIES], axis=0)
        for sex in _SEXES
    }  # fmt: skip


def _ancestry(source: MakeHuman, name: str) -> np.ndarray:
    own, everybody = (np.mean([source.macro(f"{n}-{sex}-young") for n in names for sex in _SEXES], axis=0)
                      for names in ((name,), _ANCESTRIES))  # fmt: skip
    return 1.5 * (own - everybody)


def _modes(source: MakeHuman) -> np.ndarray:
    """Directions ``[40, 19158, 3]``: sliders of the face, both sides of a pair together."""
    names = sorted(
        {s.name for s in source.sliders if s.negative and not s.name.startswith(("head/", "neck/", "ears/"))}
    )
    chosen = [names[k] for k in np.linspace(0, len(names) - 1, _MODES).astype(int)]
    return _MODE_GAIN * np.stack(
        [sum(source.target(s.positive) for s in source.sliders if s.name == name) for name in chosen]
    )


def _landmarks(source: MakeHuman, mean: np.ndarray) -> np.ndarray:
    """Base vertices nearest to the iBUG landmarks of our morphable model, which is made of the same mesh; ``[68]``."""
    model = np.load(Path(face.__file__).parent / "data" / "morphable.npz")
    index, weight = model["landmark_index"][list(IBUG_68)], model["landmark_weight"][list(IBUG_68)].astype(float)
    points = (model["mean"].astype(float)[index] * weight[..., None]).sum(1)
    body = np.unique(np.concatenate([
        np.array(f) for f, group in zip(source.mesh.faces, source.mesh.groups, strict=True) if group == "body"
    ]))  # fmt: skip
    here = mean[body] - source.eye_middles(mean).mean(0)
    return body[((points[:, None] - here[None]) ** 2).sum(-1).argmin(1)]


def _place_uv(uv: list[np.ndarray], faces: Faces, base: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates of corners and of vertices, as coarse as the skin's detail wants, the nose at (0.5, 0.5)."""
    corner_uv, corner = np.concatenate(uv), np.concatenate([np.array(f) for f in faces])
    vertex_uv = np.zeros((count, 2))
    vertex_uv[corner] = corner_uv
    front = [f for f in faces if base[f, 2].min() > 6]
    edges = np.array([(f[0], f[1]) for f in front])
    length = np.linalg.norm(base[edges[:, 0]] - base[edges[:, 1]], axis=1)
    scale = np.median(
        length / np.maximum(np.linalg.norm(vertex_uv[edges[:, 0]] - vertex_uv[edges[:, 1]], axis=1), 1e-6)
    )
    nose = vertex_uv[base[:count, 2].argmax()]
    return tuple((u - nose) * scale / _CM_PER_TILE + 0.5 for u in (corner_uv, vertex_uv))


def _sparse(moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vertices = np.flatnonzero(np.abs(moved).max(1) > 1e-5)
    return vertices, moved[vertices]


def _columns(faces: Faces, base: np.ndarray) -> np.ndarray:
    """The columns ``[C, 5]`` of a grid of quads, root to tip, in the order of x."""
    neighbors: dict[int, set[int]] = {}
    uses: dict[int, int] = {}
    for f in faces:
        for a, b in zip(f, f[1:] + f[:1], strict=True):
            neighbors.setdefault(a, set()).add(b)
            neighbors.setdefault(b, set()).add(a)
            uses[a] = uses.get(a, 0) + 1
    corners = [v for v, n in uses.items() if n == 1]
    rim = {v for v, n in uses.items() if n <= 2}
    for corner in corners:
        for second in sorted(neighbors[corner]):
            column = [corner, second]
            while len(column) < _LASH_ROWS:
                onward = [v for v in neighbors[column[-1]] & rim if v not in column]
                if len(onward) != 1 or (column[-1] in corners):
                    break
                column.append(onward[0])
            if len(column) == _LASH_ROWS and column[-1] in corners:
                return _walk(column, neighbors, base)
    raise ValueError("MakeHuman's lashes are no grid")


def _walk(column: list[int], neighbors: dict[int, set[int]], base: np.ndarray) -> np.ndarray:
    columns, seen = [column], set(column)
    while True:
        nexts = [[v for v in neighbors[u] if v not in seen] for u in columns[-1]]
        if any(len(n) != 1 for n in nexts):
            break
        columns.append([n[0] for n in nexts])
        seen |= set(columns[-1])
    grid = np.array(columns)
    if base[grid[:, 0], 2].mean() > base[grid[:, -1], 2].mean():  # tips stand out of the face
        grid = grid[:, ::-1]
    return grid[np.argsort(base[grid[:, 0], 0])]
