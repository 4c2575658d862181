"""Corrective directions of expression: what the 52 units of one sculpted head cannot do, learned from people's clips.

The units are fitted to every clip; what is left of the landmarks' motion about mouth and brows, in the model's frame,
is made symmetric and reduced to a few principal directions (Eq. 1 allows any number). Landmarks give them across and
up; depth is what the units do where these move alike. They reach the cage by a biharmonic extension that ends short of
what does not move: the insides of the lips go along, eyes, teeth and ears stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from face.fit_batch import fit_video
from face.fitting import FitSettings, LandmarkBasis
from face.landmarks import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE, SURFACE_COUNT, Landmarks
from face.lips import Lips
from face.morphable import MorphableModel, Part
from face.parameters import BROWS, IDENTITY_SIZE, MOUTH, UNITS, FaceParameters
from offline.morphable.landmark_calibration import mirror_landmarks

_ROUNDS = 2
_LIMIT = 6.0  # box of a corrective, standard deviations: some people do much more of it than most
_BEYOND_CORE = 0.3  # how much the rest of a region counts in what the directions are
_ACROSS = 60.0  # how much a region's motion across counts where it is worth much
_DEPTH_RIDGE = 0.02  # of the units' mean energy
_STIFFNESS = 0.2  # of the extension against what the landmarks ask for
Clip = Sequence[Landmarks | None]  # one person


@dataclass(frozen=True)
class Region:
    """Where some correctives act.

    Attributes:
        rows: which of the expression's directions they are.
        core: landmarks that move fully and decide what the directions are.
        across: those of them whose small motion across is worth much.
        still: landmarks that stay, however near.
        near_dm, far_dm: distance from the core up to which the skin moves fully, and from which it stays.
        by_mouth: whether motion is in proportion to the size of the person's mouth.
    """

    rows: slice
    core: tuple[int, ...]
    across: tuple[int, ...]
    still: tuple[int, ...]
    near_dm: float
    far_dm: float
    by_mouth: bool

    @property
    def count(self) -> int:
        """How many directions."""
        return self.rows.stop - self.rows.start

    def window(self, places: np.ndarray, core: np.ndarray) -> np.ndarray:  # [N, 3], [n, 3] dm
        """How much of the motion each place takes part in, ``[N]`` 0…1."""
        distance = np.linalg.norm(places[:, None] - core[None], axis=-1).min(1)
        part = np.clip((self.far_dm - distance) / (self.far_dm - self.near_dm), 0, 1)
        return part * part * (3 - 2 * part)


_INNER_BROWS = (107, 55, 336, 285)  # a frown brings them together by a millimeter
REGIONS = (
    Region(MOUTH, (*OUTER_LIPS, *INNER_LIPS), (), (), 0.08, 0.45, by_mouth=True),
    Region(BROWS, (*LEFT_BROW, *RIGHT_BROW), _INNER_BROWS, (*LEFT_EYE, *RIGHT_EYE), 0.05, 0.30, by_mouth=False),
)


def with_correctives(model: MorphableModel, clips: Sequence[Clip]) -> MorphableModel:
    """The model with its correctives learned from clips; those it has are not used."""
    model = _replaced(model, np.zeros_like(model.expression[UNITS.stop :]), 0.0)
    for _ in range(_ROUNDS):
        motions = [left_over(model, clip) for clip in clips]
        learned = [extend(model, principal_directions(model, motions, region), region) for region in REGIONS]
        model = _replaced(model, np.concatenate(learned), _LIMIT)
    return model


def _replaced(model: MorphableModel, correctives: np.ndarray, limit: float) -> MorphableModel:
    expression, box = model.expression.copy(), model.expression_box.copy()
    expression[UNITS.stop :] = correctives.astype(np.float16)  # what the file will hold
    box[UNITS.stop :] = [-limit, limit]
    return replace(model, expression=expression, expression_box=box)


@dataclass(frozen=True)
class Motion:
    """What a clip's landmarks do beyond the units, ``[F, 468, 3]`` dm about their mean, and the person's mouth, dm."""

    offsets: np.ndarray
    mouth_dm: float


def left_over(model: MorphableModel, clip: Clip) -> Motion:
    """What a fit of one person's clip leaves, in the plane of each frame's image, and what its correctives hold."""
    basis = LandmarkBasis(model)
    pairs = [
        (landmarks, fit)
        for landmarks, fit in zip(clip, fit_video(model, clip, FitSettings(pitch_gain=1.0)), strict=True)
        if landmarks is not None and fit is not None
    ]
    offsets = np.stack([_offsets(basis, landmarks, fit) for landmarks, fit in pairs])
    return Motion(offsets - offsets.mean(0), Lips(model).mouth_width(pairs[0][1].identity))


def _offsets(basis: LandmarkBasis, landmarks: Landmarks, fit: FaceParameters) -> np.ndarray:
    rows = fit.camera.rotation[:2]
    flat = (landmarks.points[:SURFACE_COUNT] - fit.camera.translation) * [1, -1] / fit.camera.scale
    residual = flat - basis.shape(fit.identity, fit.expression) @ rows.T
    return residual @ rows + basis.moves[:, :, UNITS.stop :] @ fit.expression[UNITS.stop :]


def principal_directions(model: MorphableModel, motions: Sequence[Motion], region: Region) -> np.ndarray:
    """Directions at the landmarks, ``[K, 468, 3]`` dm, one standard deviation each, for the mean face."""
    places = model.landmarks_of(model.mean)
    partner = mirror_landmarks(places)[:SURFACE_COUNT]
    places = places[:SURFACE_COUNT]
    window = region.window(places, places[list(region.core)])
    window[list(region.still)] = 0
    window = (window + window[partner]) / 2
    weight = np.zeros((SURFACE_COUNT, 2))
    weight[window > _BEYOND_CORE] = _BEYOND_CORE
    weight[list(region.core)] = 1
    weight[list(region.across), 0] = _ACROSS
    mean_mouth = Lips(model).mouth_width(np.zeros(IDENTITY_SIZE))
    samples = []
    for motion in motions:
        scaled = motion.offsets[:, :, :2] * (mean_mouth / motion.mouth_dm if region.by_mouth else 1.0)
        samples.append(scaled / np.sqrt(len(scaled) * len(motions)))  # every clip counts the same
    moved = np.concatenate(samples)  # [N, 468, 2]
    mirrored = moved[:, partner] * [-1, 1]

    variances, flats = [], []
    for part in ((moved + mirrored) / 2, (moved - mirrored) / 2):  # both sides alike, and the opposite
        weighted = (part * np.sqrt(weight)).reshape(len(part), -1)
        _, vectors = np.linalg.eigh(weighted.T @ weighted)
        strength = weighted @ vectors[:, ::-1][:, : region.count]  # [N, K]
        variances.append((strength**2).sum(0))
        flats.append(np.einsum("nk,nlc->klc", strength, part) / np.sqrt(variances[-1])[:, None, None])
    variance, flat = np.concatenate(variances), np.concatenate(flats)
    kept = np.argsort(variance)[::-1][: region.count]
    share = variance[kept].sum() / (moved**2 * weight).sum()
    print(f"{region.count} directions hold {share:.1%} of what the units leave")
    flat = flat[kept] * window[:, None]
    return np.concatenate([flat, _depth(model, flat, window)[..., None]], axis=-1)


def _depth(model: MorphableModel, flat: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Depth ``[K, 468]`` that goes with motion across and up ``[K, 468, 2]``: what the units do with the like.

    Images do not show it, and the tracker's own depth is a guess; a mixture of units bends about the teeth as lips do.
    """
    units = model.landmark_bases[2][UNITS] * window[:, None]
    across = units[:, :, :2].reshape(len(units), -1)
    gram = across @ across.T
    ridge = _DEPTH_RIDGE * np.trace(gram) / len(gram)
    mixture = np.linalg.solve(gram + ridge * np.eye(len(gram)), across @ flat.reshape(len(flat), -1).T)
    return mixture.T @ units[:, :, 2]


def extend(model: MorphableModel, directions: np.ndarray, region: Region) -> np.ndarray:  # [K, 468, 3]
    """Directions over the cage, ``[K, V, 3]``, that move the landmarks as wanted and bend as little as they can."""
    places = model.landmarks_of(model.mean)[:SURFACE_COUNT]
    skin = model.quads[model.quad_parts == Part.SKIN]
    vertices = np.unique(skin)
    free = vertices[region.window(model.mean[vertices], places[list(region.core)]) > 0]
    bending = _laplacian(model.mean, skin)[:, free]
    inside = region.window(places, places[list(region.core)]) > 0
    weights = model.landmark_matrix[:SURFACE_COUNT][inside][:, free]
    normal = _STIFFNESS * bending.T @ bending + weights.T @ weights + 1e-4 * sp.identity(len(free))
    factors = splu(normal.tocsc())
    result = np.zeros((len(directions), len(model.mean), 3))
    for k, direction in enumerate(directions):
        result[k, free] = factors.solve(weights.T @ direction[inside])
    return result


def _laplacian(vertices: np.ndarray, quads: np.ndarray) -> sp.csr_matrix:  # [V, 3], [Q, 4]
    """How each vertex differs from its neighbors, the nearer the more they count: sparse ``[V, V]``."""
    sides = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    a, b = np.unique(sides, axis=0).T
    closeness = 1 / np.linalg.norm(vertices[a] - vertices[b], axis=1)
    one_way = sp.coo_matrix((closeness, (a, b)), shape=(len(vertices),) * 2)
    graph = (one_way + one_way.T).tocsr()
    total = np.asarray(graph.sum(1)).ravel()
    return sp.identity(len(vertices)) - sp.diags(1 / np.maximum(total, 1e-9)) @ graph
