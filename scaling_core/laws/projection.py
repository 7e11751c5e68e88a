"""Non-negative least squares for a batch of small problems, for the start points of separable laws.

``scipy.optimize.nnls`` takes one problem a call, and importing it costs more than half a second of the first page.
"""

from __future__ import annotations

import itertools

import numpy as np

from scaling_core.laws.base import Array


def nonnegative_least_squares(basis: Array, target: Array) -> Array:
    """Minimise |basis·c − target|² over c ≥ 0 for each problem of a batch.

    Parameters
    ----------
    basis : array, shape (S, n, m)
        m is small: all 2^m − 1 supports are tried, which is exact.
    target : array, shape (n,) or (S, n)

    Returns
    -------
    array, shape (S, m)
    """
    count, _, m = basis.shape
    gram, moment = _normal(basis, target)
    best, lowest = np.zeros((count, m)), np.zeros(count)  # all coefficients zero costs nothing beyond |target|²
    for size in range(1, m + 1):
        for support in map(list, itertools.combinations(range(m), size)):
            candidate = np.zeros((count, m))
            candidate[:, support] = _solve(gram[:, support][:, :, support], moment[:, support])
            cost = np.einsum("sm,smk,sk->s", candidate, gram, candidate) - 2 * np.sum(candidate * moment, axis=1)
            better = (candidate >= 0).all(axis=1) & (cost < lowest)
            best[better], lowest[better] = candidate[better], cost[better]
    return best


def least_squares(basis: Array, target: Array) -> Array:
    """Minimise |basis·c − target|² for each problem of a batch, coefficients of either sign; shapes as above."""
    return _solve(*_normal(basis, target))


def _normal(basis: Array, target: Array) -> tuple[Array, Array]:
    """Gram matrices (S, m, m) and moments (S, m)."""
    aim = np.broadcast_to(target, basis.shape[:2])
    return np.einsum("snm,snk->smk", basis, basis), np.einsum("snm,sn->sm", basis, aim)


def _solve(gram: Array, moment: Array) -> Array:
    """Solve each normal equation; by pseudo-inverse, since equal columns are no error here."""
    scale = np.sqrt(np.maximum(np.einsum("smm->sm", gram), 1e-300))
    inverse = np.linalg.pinv(gram / (scale[:, :, None] * scale[:, None, :]), rcond=1e-12, hermitian=True)
    return np.asarray(np.einsum("smk,sk->sm", inverse, moment / scale) / scale)
