"""One Catmull-Clark step as a sparse matrix, so that bases stay at the resolution of the cage."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def catmull_clark(
    quads: np.ndarray,  # [Q, 4] int, a repeated last corner marks a triangle
    vertex_count: int,
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Subdivide a quad cage once (Catmull and Clark 1978; boundary edges keep their own curve).

    Returns:
        matrix: sparse ``[V', V]`` float32; ``fine = matrix @ cage``. The first V rows are the cage's own
            vertices, then one row per cage edge, then one per cage face.
        fine_quads: ``[sum of corners, 4]`` int32, ordered by cage face, orientation kept. For an all-quad
            cage, quads ``4q … 4q+3`` come from cage quad ``q``.
    """
    corners = [list(dict.fromkeys(q.tolist())) for q in quads]
    edges: dict[tuple[int, int], list[int]] = {}
    for f, c in enumerate(corners):
        for a, b in zip(c, c[1:] + c[:1], strict=True):
            edges.setdefault((min(a, b), max(a, b)), []).append(f)
    edge_row = {e: vertex_count + k for k, e in enumerate(edges)}
    face_row = [vertex_count + len(edges) + f for f in range(len(corners))]

    total = vertex_count + len(edges) + len(corners)
    faces = sp.lil_matrix((len(corners), vertex_count))
    for f, c in enumerate(corners):
        faces[f, c] = 1.0 / len(c)
    faces = faces.tocsr()

    weights = sp.lil_matrix((total, vertex_count))
    boundary: dict[int, list[int]] = {}
    degree = np.zeros(vertex_count)
    neighbours: dict[int, list[int]] = {}
    around: dict[int, list[int]] = {}
    for f, c in enumerate(corners):
        for v in c:
            around.setdefault(v, []).append(f)
    for (a, b), fs in edges.items():
        row = edge_row[a, b]
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
        degree[[a, b]] += 1
        if len(fs) == 2:
            weights[row] = 0.25 * (faces[fs[0]] + faces[fs[1]])
            weights[row, a] += 0.25
            weights[row, b] += 0.25
        else:
            weights[row, a] = weights[row, b] = 0.5
            boundary.setdefault(a, []).append(b)
            boundary.setdefault(b, []).append(a)
    for v, linked in neighbours.items():
        if v in boundary:
            ends = boundary[v]
            weights[v, v] = 0.75
            for e in ends:
                weights[v, e] += 0.25 / len(ends)
            continue
        n = degree[v]
        row = sp.lil_matrix(sum((faces[f] for f in around[v]), sp.csr_matrix((1, vertex_count))) / (n * n))
        row[0, linked] = row[0, linked].toarray() + 1.0 / (n * n)
        row[0, v] += (n - 2.0) / n
        weights[v] = row
    weights[len(weights.rows) - len(corners) :] = faces

    fine = []
    for f, c in enumerate(corners):
        for k, v in enumerate(c):
            after, before = c[(k + 1) % len(c)], c[k - 1]
            fine.append(
                [v, edge_row[min(v, after), max(v, after)], face_row[f], edge_row[min(v, before), max(v, before)]]
            )
    return weights.tocsr().astype(np.float32), np.array(fine, dtype=np.int32)
