"""Catmull-Clark subdivision and a cut through triangles, as sparse matrices: bases stay at the cage's resolution."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def _sparse(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> sp.csr_matrix:
    """Sparse matrix; values at the same place add up."""
    return sp.csr_matrix((np.broadcast_to(values, rows.shape).ravel(), (rows.ravel(), columns.ravel())), shape=shape)


def catmull_clark(
    quads: np.ndarray,  # [Q, 4] int, orientation kept
    vertex_count: int,
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Subdivide a quad cage once (Catmull and Clark 1978; a boundary keeps a curve of its own).

    Returns:
        matrix: sparse ``[V', V]`` float32; ``fine = matrix @ cage``. The first V rows are the cage's own
            vertices, then one row per cage edge, then one per cage quad.
        fine_quads: ``[4Q, 4]`` int32; quads ``4q … 4q+3`` come from cage quad ``q``.
    """
    count = len(quads)
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1)  # [Q, 4, 2]
    edges, edge_of_side, uses = np.unique(
        np.sort(sides.reshape(-1, 2), axis=1), axis=0, return_inverse=True, return_counts=True
    )
    edge_of_side = edge_of_side.reshape(count, 4)
    inner = uses == 2

    faces = _sparse(np.repeat(np.arange(count), 4), quads, np.array(0.25), (count, vertex_count))
    middles = _sparse(np.repeat(np.arange(len(edges)), 2), edges, np.array(0.5), (len(edges), vertex_count))
    quad_of_side = np.repeat(np.arange(count), 4)
    beside = _sparse(edge_of_side.ravel(), quad_of_side, np.array(0.5), (len(edges), count))
    # An inner edge's point: the mean of its middle and of its two quads' centers.
    edge_rows = sp.diags(np.where(inner, 0.5, 1.0)) @ middles + sp.diags(0.5 * inner) @ (beside @ faces)

    degree = np.bincount(edges.ravel(), minlength=vertex_count).astype(float)
    on_boundary = np.zeros(vertex_count, bool)
    on_boundary[edges[~inner]] = True
    n = np.maximum(degree, 1)
    around = _sparse(quads.ravel(), quad_of_side, np.array(1.0), (vertex_count, count))
    linked = _sparse(
        np.concatenate([edges[:, 0], edges[:, 1]]), np.concatenate([edges[:, 1], edges[:, 0]]),
        np.array(1.0), (vertex_count, vertex_count),
    )  # fmt: skip
    rim = edges[~inner]
    along = _sparse(
        np.concatenate([rim[:, 0], rim[:, 1]]), np.concatenate([rim[:, 1], rim[:, 0]]),
        np.array(1.0), (vertex_count, vertex_count),
    )  # fmt: skip
    ends = np.maximum(np.asarray(along.sum(1)).ravel(), 1)
    smooth = sp.diags(1 / n**2) @ (around @ faces + linked) + sp.diags((n - 2) / n)
    border = sp.diags(0.25 / ends) @ along + 0.75 * sp.identity(vertex_count)
    free = (degree > 0) & ~on_boundary
    vertex_rows = sp.diags(free.astype(float)) @ smooth + sp.diags(on_boundary.astype(float)) @ border

    matrix = sp.vstack([vertex_rows, edge_rows, faces]).tocsr().astype(np.float32)
    matrix.eliminate_zeros()
    edge_point = vertex_count + edge_of_side
    center = np.repeat(vertex_count + len(edges) + np.arange(count), 4).reshape(count, 4)
    fine = np.stack([quads, edge_point, center, np.roll(edge_point, 1, axis=1)], axis=-1)
    return matrix, fine.reshape(-1, 4).astype(np.int32)


def clip_triangles(
    triangles: np.ndarray,  # [T, 3] int, orientation kept
    inside: np.ndarray,  # [V] float, positive inside
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Cut a mesh where a field over its vertices, linear within triangles, is zero, and keep what is inside.

    Returns:
        matrix: sparse ``[V + E, V]`` float32; the first V rows are the vertices, then one for each edge cut.
        kept: ``[T', 3]`` int32.
    """
    positive = inside > 0
    count = positive[triangles].sum(1)
    kept = [triangles[count == 3]]
    cuts: dict[tuple[int, int], int] = {}

    def cut(a: int, b: int) -> int:
        return cuts.setdefault((min(a, b), max(a, b)), len(inside) + len(cuts))

    pieces = []
    for corners in triangles[(count == 1) | (count == 2)]:
        lone = int(np.argmax(positive[corners] == (positive[corners].sum() == 1)))
        a, b, c = (int(v) for v in np.roll(corners, -lone))
        ab, ca = cut(a, b), cut(c, a)
        pieces += [(a, ab, ca)] if positive[a] else [(ab, b, c), (ab, c, ca)]
    kept.append(np.array(pieces, triangles.dtype).reshape(-1, 3))
    ends = np.array(list(cuts), dtype=np.int64).reshape(-1, 2)
    part = inside[ends[:, 0]] / (inside[ends[:, 0]] - inside[ends[:, 1]])
    rows = np.arange(len(ends))
    edges = _sparse(
        np.concatenate([rows, rows]), ends.T.ravel(), np.concatenate([1 - part, part]), (len(ends), len(inside))
    )
    matrix = sp.vstack([sp.identity(len(inside)), edges]).tocsr().astype(np.float32)
    return matrix, np.concatenate(kept).astype(np.int32)
