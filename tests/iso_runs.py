"""Runs of a known law laid out for Chinchilla's other approaches: isoFLOP grids, and training curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from made_runs import CHINCHILLA, chinchilla_loss, noise, table

from scaling_core.laws import Array
from scaling_core.runs import RunTable

_E, _A, _B, _ALPHA, _BETA = CHINCHILLA
#: Exponents of N* and D* of ``CHINCHILLA`` (Hoffmann et al. 2022, eq. 4).
A_TRUE, B_TRUE = _BETA / (_ALPHA + _BETA), _ALPHA / (_ALPHA + _BETA)


def best_params(flops: Any) -> Array:
    """N* under C = 6ND, written out from Hoffmann et al. 2022, eq. 4."""
    g = (_ALPHA * _A / (_BETA * _B)) ** (1 / (_ALPHA + _BETA))
    return np.asarray(g * (np.asarray(flops, dtype=float) / 6) ** A_TRUE)


def isoflop_grid(
    budgets: int = 7, sizes: int = 9, half_width: float = 4.0, off: Any = 0.0, jitter: float = 0.0
) -> tuple[Array, Array]:
    """N and D of grids that reach ``half_width`` times to either side of N*, moved by ``off`` half-widths in ln N.

    ``jitter`` is the share by which a run may miss its budget.
    """
    flops = np.geomspace(1e18, 1e21, budgets)
    along = np.linspace(-1, 1, sizes) + np.broadcast_to(off, budgets)[:, None]
    N = (best_params(flops)[:, None] * half_width**along).ravel()
    C = np.repeat(flops, sizes) * (1 + jitter * np.random.default_rng(5).uniform(-1, 1, len(N)))
    return N, C / 6 / N


def isoflop_runs(noise_size: float = 0.0, seed: int = 0, **grid: Any) -> RunTable:
    """Runs of ``CHINCHILLA`` on an isoFLOP grid."""
    N, D = isoflop_grid(**grid)
    return table(N, D, chinchilla_loss(N, D) * noise(len(N), noise_size, seed))


def curves(sizes: int = 14, checkpoints: int = 25, noise_size: float = 0.0) -> RunTable:
    """Training curves of ``CHINCHILLA`` (a checkpoint lies on the law), from 1 to 400 tokens per parameter."""
    N = np.repeat(np.geomspace(1e7, 3e10, sizes), checkpoints)
    D = N * np.tile(np.geomspace(1, 400, checkpoints), sizes)
    run = np.repeat([f"size {i}" for i in range(sizes)], checkpoints)
    last = np.tile(np.arange(checkpoints) == checkpoints - 1, sizes)
    return table(N, D, chinchilla_loss(N, D) * noise(len(N), noise_size), run=run, is_final=last)
