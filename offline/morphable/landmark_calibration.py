"""Where MediaPipe's landmarks lie on the morphable model, learned from rendered heads.

Heads are drawn in many poses, tracked, and every landmark is carried back through the z-buffer to the mean head;
a robust mean of those places is the landmark. Both halves are made mirror images of each other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree
from tqdm import tqdm

from face.camera import ScaledOrthographicCamera
from face.landmarks import COUNT, FACE_OVAL, INNER_LIPS, SURFACE_COUNT
from face.morphable import MorphableModel, Part
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.raster import rasterize
from face.tracking import FaceTracker
from offline.synthetic.appearance import sample_identity
from offline.synthetic.raster_people import Person

_SIZE = 384
_IMAGES = 240
_SEARCH_PX = 6
_NEIGHBORS = 24  # cage vertices that one landmark may use
_MARGIN = np.array([0.84, 1.08])  # NMFC region over the face oval: short of the ears, more forehead and chin


def calibrate(model: MorphableModel, skin: np.ndarray) -> MorphableModel:
    """The model with its landmarks placed.

    Args:
        model: without landmarks.
        skin: ``[4Q]`` bool, quads of the subdivided mesh that are seen from outside.
    """
    bald = model.quad_parts != Part.HAIR
    for round_, painted in enumerate((False, True)):
        heads = replace(model, quads=model.quads[bald], quad_parts=model.quad_parts[bald],
                        nmfc_quads=skin[np.repeat(bald, 4)])  # fmt: skip
        places = _observe(heads, painted, seed=100 + round_)
        model = _attach(model, skin, _symmetrise(places))
    return model


def _observe(heads: MorphableModel, painted: bool, seed: int) -> np.ndarray:
    """Robust mean place of each landmark on the mean head, ``[478, 3]``."""
    rng = np.random.default_rng(seed)
    fine = heads.subdivision @ heads.mean
    drawn = heads.nmfc_triangles
    occluding = np.concatenate([drawn, heads.triangles[(heads.triangle_parts != Part.LASHES)]])
    observed: list[list[np.ndarray]] = [[] for _ in range(COUNT)]
    mild = [k for k, n in enumerate(heads.unit_names) if n in ("jawOpen", "mouthSmileLeft", "mouthSmileRight")]
    faces = 0
    tracker = FaceTracker(video=False)
    for image in tqdm(range(_IMAGES), desc="calibrating landmarks", unit="image"):
        person = Person(heads, seed * 1000 + image // 4, identity=sample_identity(rng) * 0.7, painted=painted)
        expression = np.zeros(EXPRESSION_SIZE)
        if image % 2:
            expression[mild] = rng.uniform(0, [0.35, 0.4, 0.4])
        pose = rng.normal(0, [14, 8, 5])
        camera = ScaledOrthographicCamera.from_euler(pose, rng.uniform(120, 150), np.array([_SIZE / 2, _SIZE * 0.45]))
        parameters = FaceParameters(person.identity, expression, camera, rng.normal(0, 3, 2))
        landmarks = tracker.track(person.render(parameters, _SIZE, _SIZE))
        if landmarks is None:
            continue
        faces += 1
        points = person.project(parameters)
        index, _ = rasterize(points, occluding, _SIZE, _SIZE)
        index[index >= len(drawn)] = -1
        for k, place in _back_project(landmarks.points, points, drawn, index, fine):
            observed[k].append(place)
    print(f"landmarks: a face in {faces} of {_IMAGES} images")
    eyes = heads.eye_centers(np.zeros(len(heads.identity))) + [0, 0, heads.eye_radius]
    places = np.stack([np.median(o, axis=0) if o else np.full(3, np.nan) for o in observed])
    places[468:473], places[473:478] = eyes[1], eyes[0]
    return places


def _back_project(points, projected, triangles, index, fine):  # type: ignore[no-untyped-def]
    """Yield (landmark, place on the mean head ``[3]``) for each landmark near a visible piece of skin."""
    rows, columns = np.where(index >= 0)
    tree = cKDTree(np.stack([columns + 0.5, rows + 0.5], 1))
    distance, nearest = tree.query(points[:SURFACE_COUNT], distance_upper_bound=_SEARCH_PX)
    for k in np.where(np.isfinite(distance))[0]:
        corners = triangles[index[rows[nearest[k]], columns[nearest[k]]]]
        a, b, c = projected[corners, :2].astype(np.float64)
        exact = points[k] if distance[k] < 1 else np.array([columns[nearest[k]] + 0.5, rows[nearest[k]] + 0.5])
        solution = np.linalg.lstsq(np.stack([b - a, c - a], 1), exact - a, rcond=None)[0]
        u, v = np.clip(solution, -0.5, 1.5)
        yield k, fine[corners[0]] * (1 - u - v) + fine[corners[1]] * u + fine[corners[2]] * v


def mirror_landmarks(places: np.ndarray) -> np.ndarray:  # [478, 3]
    """Index of each landmark's mirror image, ``[478]``: nearest after reflection, made mutual."""
    from scipy.optimize import linear_sum_assignment

    surface = places[:SURFACE_COUNT]
    cost = np.linalg.norm(surface[:, None] * [-1, 1, 1] - surface[None], axis=-1) ** 2
    _, partner = linear_sum_assignment(cost + cost.T)
    irises = np.array([473, 476, 475, 474, 477, 468, 471, 470, 469, 472])
    return np.concatenate([partner, irises])


def _symmetrise(places: np.ndarray) -> np.ndarray:
    partner = mirror_landmarks(places)
    return 0.5 * (places + places[partner] * [-1, 1, 1])


def _attach(model: MorphableModel, skin: np.ndarray, places: np.ndarray) -> MorphableModel:
    """Put landmarks on the nearest point of the outer skin (irises: on the eyeballs), as weights over the cage."""
    fine = (model.subdivision @ model.mean).astype(np.float64)
    outer = model.triangles[np.repeat(skin, 2)]
    sides, everywhere = _lips_apart(model, outer, places), np.ones(len(outer), bool)
    index = np.zeros((COUNT, _NEIGHBORS), np.int32)
    weight = np.zeros((COUNT, _NEIGHBORS), np.float32)
    for k, place in enumerate(places):
        if k >= SURFACE_COUNT:
            eye = model.eye_vertices(Part.LEFT_EYE if k >= 473 else Part.RIGHT_EYE)
            front = eye[np.argsort(np.linalg.norm(model.mean[eye] - place, axis=1))[:4]]
            index[k, :4], weight[k, :4] = front, 0.25
            continue
        corners, barycentric = _nearest_on_surface(place, fine, outer[sides.get(k, everywhere)])
        row = barycentric @ model.subdivision[corners].toarray()
        strongest = np.argsort(-np.abs(row))[:_NEIGHBORS]
        index[k], weight[k] = strongest, row[strongest] / row[strongest].sum()
    return replace(model, landmark_index=index, landmark_weight=weight)


def _lips_apart(model: MorphableModel, triangles: np.ndarray, places: np.ndarray) -> dict[int, np.ndarray]:
    """Which triangles ``[T, 3]`` each landmark of the inner lips may lie on, ``[T]`` bool by landmark.

    Closed lips touch, so that the nearest surface may be the other lip's. An opening jaw takes the lower lip farther
    down than the mouth's corners.
    """
    drop = model.subdivision @ model.expression[model.unit_names.index("jawOpen")][:, 1]
    fine = model.subdivision @ model.mean
    middle = len(INNER_LIPS) // 2
    nearest = cKDTree(fine[triangles].mean(1)).query(places[[INNER_LIPS[0], INNER_LIPS[middle]]])[1]
    lower = drop[triangles].mean(1) < drop[triangles[nearest]].mean()
    upper_lip, lower_lip = INNER_LIPS[1:middle], INNER_LIPS[middle + 1 :]
    return {k: lower for k in lower_lip} | {k: ~lower for k in upper_lip}


def _nearest_on_surface(place: np.ndarray, fine: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners ``[3]`` and barycentrics ``[3]`` of the surface point nearest to a place (clamped per triangle)."""
    centers = fine[triangles].mean(1)
    candidates = np.argsort(((centers - place) ** 2).sum(1))[:24]
    best, best_distance = None, np.inf
    for t in candidates:
        a, b, c = fine[triangles[t]]
        u, v = np.linalg.lstsq(np.stack([b - a, c - a], 1), place - a, rcond=None)[0]
        barycentric = np.clip([1 - u - v, u, v], 0, 1)
        barycentric /= barycentric.sum()
        distance = float(np.linalg.norm(barycentric @ fine[triangles[t]] - place))
        if distance < best_distance:
            best, best_distance = (triangles[t], barycentric), distance
    assert best is not None
    return best


def nmfc_region(model: MorphableModel, skin: np.ndarray) -> MorphableModel:
    """Limit the NMFC to the face: the tracker's oval on the mean head, widened by a margin, forehead included.

    The border is a smooth curve in (angle about the head, height), so that it does not follow the mesh.
    """
    import cv2

    fine = model.subdivision @ model.mean
    axis_z = -0.9
    unroll = lambda p: np.stack([np.arctan2(p[:, 0], p[:, 2] - axis_z) * 0.9, p[:, 1]], 1)  # noqa: E731
    loop = unroll(model.landmarks_of(model.mean)[list(FACE_OVAL)])
    loop = 0.5 * loop + 0.25 * (np.roll(loop, 1, 0) + np.roll(loop, -1, 0))
    center = loop.mean(0)
    loop = ((loop - center) * _MARGIN + center).astype(np.float32)
    flat = unroll(fine)
    inside = np.array([cv2.pointPolygonTest(loop, (float(x), float(y)), True) for x, y in flat])
    inside[fine[:, 2] < axis_z] = -1.0
    quads = model.triangles.reshape(-1, 6)[:, [0, 1, 2, 5]]
    return replace(
        model, nmfc_quads=skin & (inside[quads] > 0).any(1), nmfc_inside=inside.astype(np.float16).astype(np.float32)
    )
