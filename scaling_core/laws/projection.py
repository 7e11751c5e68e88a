"""Non-negative least squares for a batch of small problems, for the start points of separable laws.

``scipy.optimize.nnls`` takes one problem a call, and importing it costs more than half a second of the first page.
"""

from __future__ import annotations

import itertools

import numpy as np

from scaling_core.laws.base import Array, Mask

#: Up to so many coefficients all supports are tried; beyond, each is improved in turn.
_ENUMERATED = 6
_SWEEPS = 300


def nonnegative_least_squares(basis: Array, target: Array) -> Array:
    """Minimise |basis·c − target|² over c ≥ 0 for each problem of a batch.

    Parameters
    ----------
    basis : array, shape (S, n, m)
        For small m all 2^m − 1 supports are tried, which is exact.
    target : array, shape (n,) or (S, n)

    Returns
    -------
    array, shape (S, m)
    """
    count, _, m = basis.shape
    gram, moment = _normal(basis, target)
    if m > _ENUMERATED:
        return _coordinate_descent(gram, moment)
    best, lowest = np.zeros((count, m)), np.zeros(count)  # all coefficients zero costs nothing beyond |target|²
    for size in range(1, m + 1):
        for support in map(list, itertools.combinations(range(m), size)):
            candidate = np.zeros((count, m))
            candidate[:, support] = _solve(gram[:, support][:, :, support], moment[:, support])
            cost = np.einsum("sm,smk,sk->s", candidate, gram, candidate) - 2 * np.sum(candidate * moment, axis=1)
            better = (candidate >= 0).all(axis=1) & (cost < lowest)
            best[better], lowest[better] = candidate[better], cost[better]
    return best


def _coordinate_descent(gram: Array, moment: Array) -> Array:
    """Improve one coefficient after another: near the minimum, which is enough to start from."""
    best = np.zeros_like(moment)
    size = np.maximum(np.einsum("smm->sm", gram), 1e-300)
    for _ in range(_SWEEPS):
        for j in range(moment.shape[1]):
            slope = moment[:, j] - np.einsum("sk,sk->s", gram[:, j], best)
            best[:, j] = np.maximum(best[:, j] + slope / size[:, j], 0.0)
    return best


def least_squares(basis: Array, target: Array) -> Array:
    """Minimise |basis·c − target|² for each problem of a batch, coefficients of either sign; shapes as above."""
    return _solve(*_normal(basis, target))


def mixed_least_squares(basis: Array, target: Array, signed: Mask) -> Array:
    """Minimise |basis·c − target|² where the coefficients ``signed`` (m,) may have either sign and the others not.

    What the signed columns can explain is taken out of the others first (Frisch & Waugh 1933).
    """
    free, bound = basis[..., signed], basis[..., ~signed]
    aim = np.broadcast_to(target, basis.shape[:2])
    if not signed.any():
        return nonnegative_least_squares(basis, aim)

    def left(column: Array) -> Array:
        return np.asarray(column - np.einsum("snk,sk->sn", free, least_squares(free, column)))

    out = np.empty((len(basis), len(signed)))
    rest = np.stack([left(bound[..., j]) for j in range(bound.shape[-1])], axis=-1) if (~signed).any() else bound
    out[:, ~signed] = nonnegative_least_squares(rest, left(aim))
    out[:, signed] = least_squares(free, aim - np.einsum("snk,sk->sn", bound, out[:, ~signed]))
    return out


def _normal(basis: Array, target: Array) -> tuple[Array, Array]:
    """Gram matrices (S, m, m) and moments (S, m)."""
    aim = np.broadcast_to(target, basis.shape[:2])
    return np.einsum("snm,snk->smk", basis, basis), np.einsum("snm,sn->sm", basis, aim)


def _solve(gram: Array, moment: Array) -> Array:
    """Solve each normal equation; by pseudo-inverse, since equal columns are no error here."""
    scale = np.sqrt(np.maximum(np.einsum("smm->sm", gram), 1e-300))
    inverse = np.linalg.pinv(gram / (scale[:, :, None] * scale[:, None, :]), rcond=1e-12, hermitian=True)
    return np.asarray(np.einsum("smk,sk->sm", inverse, moment / scale) / scale)
