"""The scanned-face kit ICT-FaceKit (MIT, USC Institute for Creative Technologies) as a head model.

It is not in the registries and not ours to carry: ``--face-kit`` names a clone of github.com/ICT-VGL/ICT-FaceKit, or a
folder that holds it packed (``ict_head.npz`` and ``ict_identity.npz``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face.errors import UserError
from face.landmarks import UNIT_NAMES
from offline.morphable.wavefront import read_obj
from offline.synthetic.blender.head import Faces, HeadModel, Lashes, smoothstep

_VERTICES, _FACES, _SKIN_VERTICES = 26719, 26384, 11248
_PARTS = {
    "skin": (0, 11144), "socket": (11144, 14034), "gums": (14034, 17006), "teeth": (17006, 21496),
    "eye_l": (21496, 22296), "eye_r": (23094, 23894), "tears": (24692, 25018),
}  # fmt: skip
_EYES = {"l": np.arange(21451, 22221), "r": np.arange(23021, 23791)}
_EYEBALLS = (21451, 24590)
_LASH_CARDS = ((25351, 25304, 25844), (26035, 25844, 26384))  # first vertex, first and last face, of each eye
_CARD, _CARD_ROOT, _COLUMNS = 114, 38, 19  # vertices of a card, of its root, columns
_TOOTH_STARTS = (
    17039, 17230, 17416, 17607, 17730, 17895, 17991, 18067, 18143, 18219, 18295, 18391, 18556, 18679, 18870, 19056,
    19247,
    19426, 19602, 19814, 19952, 20079, 20169, 20263, 20349, 20435, 20529, 20619, 20746, 20884, 21096, 21272, 21451,
)  # fmt: skip
_LOWER_TEETH = 19247
_LANDMARKS = np.array([
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493,
    1914, 2044,
    1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528,
    1518,
    1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702,
    5711, 5533, 6216, 6207, 6470, 5517, 5966])  # fmt: skip
_SIDES = {"Left": "_L", "Right": "_R"}
# The model's shapes are weaker or plainer than faces are: what else moves, and by how much.
_GAINS = {
    "browDown": 2.8, "mouthFrown": 1.3, "browInnerUp": 0.8, "jawOpen": 1.35, "mouthFunnel": 1.35, "mouthPucker": 0.9,
    "mouthSmile": 1.1,
}  # fmt: skip
_ALONG = {
    "cheekSquint": (("cheekRaiser", 0.5),), "jawOpen": (("mouthUpperUp_L", 0.28), ("mouthUpperUp_R", 0.28)),
    "browDown": (("eyeSquint", 0.35),),
}  # fmt: skip
_MODES = 60
# Identity modes of the scanned-face kit (standard deviations) that move its landmarks as MakeHuman's targets
# move theirs.
_DIRECTIONS = {
    "male": (
        -.19, .26, -.12, -.12, -.29, -.21, .20, .07, .30, .00, -.13, .12, -.06, .10, .00,
        .06, -.04, -.01, .02, -.03, .00, .04, .00, .04, .08, .00, .05, -.08, .00, .04,
    ),
    "african": (
        -.05, -.07, -.50, .24, .07, -.01, .05, .25, -.15, .00, .06, -.13, -.08, .11, .02,
        -.01, -.08, .08, .04, .09, .00, -.10, -.05, .12, .02, .00, -.04, -.01, .00, -.13,
    ),
    "asian": (
        -.13, .61, .08, -.36, -.45, -.05, -.14, .07, .29, .00, -.09, .24, .20, .14, -.01,
        .12, .00, .07, .10, -.09, .00, .14, .11, -.01, .12, .00, .06, -.10, .00, .05,
    ),
    "caucasian": (
        .15, -.51, .44, .09, .36, .01, .10, -.29, -.11, .00, .01, -.10, -.13, -.24, .01,
        -.09, .08, -.14, -.14, -.01, .00, -.04, -.04, -.10, -.13, .00, -.02, .10, .00, .07,
    ),
    "old": (
        -.01, -.04, .29, -.10, .04, -.12, -.02, -.10, .10, .00, -.10, -.05, -.13, -.04, .09,
        -.03, -.01, -.04, -.09, -.06, .00, -.01, .00, .01, -.04, .00, .03, .03, .00, .07,
    ),
}  # fmt: skip
# The landmarks tell only part of a direction, so it is taken further.
_DIRECTION_GAINS = {"male": 2.2, "african": 1.6, "asian": 1.4, "caucasian": 1.4, "old": 1.2}
_WIDER = 0.10  # of each tooth
_TEETH_DOWN_CM = 0.10  # the scans' upper teeth sit too high to be seen


def load(kit: Path) -> HeadModel:
    """Read the kit.

    Args:
        kit: a clone of ICT-FaceKit, or a folder (or the parent of ``assets``) that holds it packed.

    Raises:
        UserError: neither is there.
    """
    for folder in (kit, kit / "assets"):
        if (folder / "ict_head.npz").exists():
            packed = np.load(folder / "ict_head.npz")
            faces: Faces = [[int(i) for i in face if i >= 0] for face in packed["faces"]]
            shapes = {}
            for k, name in enumerate(packed["names"]):
                span = slice(packed["start"][k], packed["start"][k + 1])
                shapes[str(name)] = (packed["idx"][span].astype(int), packed["val"][span].astype(np.float64))
            identity = np.load(folder / "ict_identity.npz")["ids"].astype(np.float64)
            corners = [uv for face, uv in zip(packed["faces"], packed["face_uvs"], strict=True) for uv in uv[face >= 0]]
            return _model(
                packed["base"].astype(np.float64), faces, packed["uv"].astype(np.float64)[corners], shapes, identity
            )
    if (kit / "FaceXModel" / "generic_neutral_mesh.obj").exists():
        return _from_clone(kit / "FaceXModel")
    raise UserError(f"{kit} holds no ICT-FaceKit: give a clone of github.com/ICT-VGL/ICT-FaceKit.")


def _from_clone(folder: Path) -> HeadModel:
    with (folder / "generic_neutral_mesh.obj").open() as text:
        mesh = read_obj(text)
    if (len(mesh.vertices), len(mesh.faces)) != (_VERTICES, _FACES):
        raise UserError(f"{folder.parent} holds another version of ICT-FaceKit: give its newest.")

    def displacement(path: Path) -> np.ndarray:
        rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
        return np.array(rows, np.float64) - mesh.vertices

    shapes = {}
    for path in sorted(folder.glob("*.obj")):
        if not path.stem.startswith(("identity", "generic")):
            moved = displacement(path)
            vertices = np.flatnonzero(np.abs(moved).max(1) > 1e-4)
            shapes[path.stem] = (vertices, moved[vertices])
    identity = np.stack([displacement(folder / f"identity{k:03d}.obj") for k in range(_MODES)])
    corners = [i for face in mesh.face_uvs for i in face]
    return _model(mesh.vertices, [list(f) for f in mesh.faces], mesh.uvs[corners], shapes, identity)


def _model(base: np.ndarray, faces: Faces, corner_uv: np.ndarray, shapes: dict, identity: np.ndarray) -> HeadModel:
    base, identity = base.copy(), identity[:_MODES]
    base[_TOOTH_STARTS[0] : _LOWER_TEETH, 1] -= _TEETH_DOWN_CM
    gaps = _gaps(base)
    _close_teeth(base)
    parts = {name: faces[slice(*span)] for name, span in _PARTS.items()}
    corners = sum(len(face) for face in parts["skin"])
    vertex_uv = np.zeros((_SKIN_VERTICES, 2))
    vertex_uv[np.concatenate([np.array(f) for f in parts["skin"]])] = corner_uv[:corners]
    directions = {
        name: _DIRECTION_GAINS[name] * np.tensordot(np.array(c), identity[: len(c)], 1)
        for name, c in _DIRECTIONS.items()
    }
    return HeadModel(
        name="the scanned-face kit", base=base, parts=parts, skin_vertices=_SKIN_VERTICES, skin_uv=corner_uv[:corners],
        vertex_uv=vertex_uv, units={name: _unit(name, shapes) for name in UNIT_NAMES if name != "tongueOut"},
        identity=identity, directions=directions, landmarks=_LANDMARKS, eyes=_EYES, lashes=_lashes(base, faces),
        tooth_gap=gaps,
    )  # fmt: skip


def _unit(name: str, shapes: dict) -> tuple[np.ndarray, np.ndarray]:
    """An ARKit unit as (vertices, displacement), from one or more of the kit's shapes."""
    stem, tail = name, ""
    for word, letter in _SIDES.items():
        if name.endswith(word) and name.removesuffix(word) + letter in shapes:
            stem, tail = name.removesuffix(word), letter
    used = [(stem + t, _GAINS.get(stem, 1.0)) for t in ((tail,) if tail else ("", "_L", "_R")) if stem + t in shapes]
    used += [(other + tail, gain) for other, gain in _ALONG.get(stem, ())]
    total: dict[int, np.ndarray] = {}
    for shape, gain in used:
        for vertex, moved in zip(*shapes[shape], strict=True):
            # The eyeballs turn with the gaze instead.
            if not (name.startswith("eyeLook") and _EYEBALLS[0] <= vertex <= _EYEBALLS[1]):
                total[int(vertex)] = total.get(int(vertex), np.zeros(3)) + gain * moved
    return np.array(list(total), int), np.array(list(total.values())).reshape(-1, 3)


def _close_teeth(base: np.ndarray) -> None:
    """Widen each tooth along the arch, so that neighbors touch: smoothed, they would stand apart."""
    for start, stop in zip(_TOOTH_STARTS[:-1], _TOOTH_STARTS[1:], strict=True):
        middle = base[start:stop].mean(0)
        along = np.array([max(middle[2] - 5, 0.5), 0, -middle[0]])
        along /= np.linalg.norm(along)
        base[start:stop] += _WIDER * ((base[start:stop] - middle) @ along)[:, None] * along


def _gaps(base: np.ndarray) -> np.ndarray:
    """Darkness between neighboring teeth and at the gums, ``[V]``: so that seams survive few samples."""
    out = np.zeros(len(base))
    first, last = _TOOTH_STARTS[0], _TOOTH_STARTS[-1]
    for start, stop in zip(_TOOTH_STARTS[:-1], _TOOTH_STARTS[1:], strict=True):
        tooth = base[start:stop]
        middle = tooth.mean(0)
        others = base[np.r_[first:start, stop:last]]
        near = others[np.linalg.norm(others - middle, axis=1) < 1.4]
        distance = np.sqrt(((tooth[:, None] - near[None]) ** 2).sum(-1)).min(1)
        outwards = np.array([middle[0], 0, max(middle[2] - 5, 0.5)])
        behind = smoothstep(0.0, -0.25, (tooth - middle) @ (outwards / np.linalg.norm(outwards)))
        root = smoothstep(0.25, 0.55, (tooth[:, 1] - middle[1]) * (1 if start < _LOWER_TEETH else -1))
        corner = smoothstep(1.1, 2.6, abs(middle[0]))  # the lips shade the back teeth
        seam = smoothstep(0.09, 0.03, distance)
        out[start:stop] = np.clip(0.30 * seam + 0.5 * corner + 0.35 * behind + 0.3 * root, 0, 1)
    return out


def _lashes(base: np.ndarray, faces: Faces) -> list[Lashes]:
    """The model's lash cards as columns of six vertices."""
    out = []
    for first, face, last in _LASH_CARDS:
        neighbors: dict[int, set[int]] = {}
        for corners in faces[face:last]:
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
                neighbors.setdefault(a, set()).add(b)
                neighbors.setdefault(b, set()).add(a)
        for start in range(first, first + 6 * _CARD, _CARD):

            def level(i: int, start: int = start) -> int:
                return 1 if i - start < _CARD_ROOT else 2 + (i - start - _CARD_ROOT) // _COLUMNS

            columns = []
            for i in range(start + _CARD_ROOT, start + _CARD_ROOT + _COLUMNS):
                column = [i]
                while level(column[-1]) < 5:
                    up = [j for j in neighbors[column[-1]] if level(j) == level(column[-1]) + 1]
                    if not up:
                        break
                    column.append(up[0])
                below = [j for j in neighbors[i] if level(j) == 1]
                if not below or len(column) < 4:
                    continue
                roots = [
                    j for j in neighbors[below[0]] if level(j) == 1 and not any(level(k) == 2 for k in neighbors[j])
                ]
                if roots:
                    columns.append([roots[0], below[0], *column])
            ordered = np.array(columns)
            ordered = ordered[np.argsort(base[ordered[:, 0], 0])]
            out.append(Lashes(bool(base[ordered[:, 0], 1].mean() > 3.5), ordered))
    return out
