"""One Catmull-Clark step as a sparse matrix, so that bases stay at the resolution of the cage."""

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
    # An inner edge's point: the mean of its middle and of its two quads' centres.
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
    centre = np.repeat(vertex_count + len(edges) + np.arange(count), 4).reshape(count, 4)
    fine = np.stack([quads, edge_point, centre, np.roll(edge_point, 1, axis=1)], axis=-1)
    return matrix, fine.reshape(-1, 4).astype(np.int32)
