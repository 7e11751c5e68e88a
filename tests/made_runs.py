"""Runs made from a known law, so that a test knows what must come out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.fitting import FitResult, fit, get_objective
from scaling_core.laws import Array, get_law
from scaling_core.runs import RunTable

#: E, A, B, alpha, beta; near Besiroglu et al. 2024, arXiv 2404.10102, but nobody's constants.
CHINCHILLA = np.array([1.8, 400.0, 2000.0, 0.34, 0.36])


def table(params: Any, tokens: Any, loss: Any, flops: Any = None, **columns: Any) -> RunTable:
    """A table as the readers make it; C is 6ND unless given, and every row is a run of its own."""
    loss = np.asarray(loss, dtype=float)
    n = len(loss)
    params, tokens = (np.broadcast_to(np.asarray(v, dtype=float), n) for v in (params, tokens))
    frame = pd.DataFrame({
        "run": [f"run {i + 1}" for i in range(n)], "params": params, "tokens": tokens,
        "flops": 6 * params * tokens if flops is None else np.broadcast_to(np.asarray(flops, dtype=float), n),
        "loss": loss, "file": "made.csv", "line": np.arange(2, n + 2), "is_final": True,
    }).assign(**columns)  # fmt: skip
    rejected = pd.DataFrame(columns=["file", "line", "reason", "content"])
    return RunTable(frame, rejected, (), ())


def grid(sizes: int = 6, lengths: int = 6) -> tuple[Array, Array]:
    """N and D of a full grid, N from 1e7 to 1e10 and D from 1e9 to 1e12."""
    N, D = np.meshgrid(np.geomspace(1e7, 1e10, sizes), np.geomspace(1e9, 1e12, lengths))
    return N.ravel(), D.ravel()


def chinchilla_loss(N: Array, D: Array, theta: Array = CHINCHILLA) -> Array:
    """Hoffmann et al. 2022, eq. 10, written out again: the tests do not take the code's word for it."""
    E, A, B, alpha, beta = theta
    return np.asarray(E + A / N**alpha + B / D**beta)


def noise(n: int, size: float, seed: int = 0) -> Array:
    """Factors of log-normal noise."""
    return np.exp(size * np.random.default_rng(seed).normal(size=n))


def chinchilla_runs(noise_size: float = 0.0, seed: int = 0, sizes: int = 6, lengths: int = 6) -> RunTable:
    """A grid of runs that follow ``CHINCHILLA``, with noise in ln L."""
    N, D = grid(sizes, lengths)
    return table(N, D, chinchilla_loss(N, D) * noise(len(N), noise_size, seed))


def fitted(
    runs: RunTable, law: str = "chinchilla", objective: str = "huber-log", resamples: int = 0, **rest: Any
) -> FitResult:
    """Fit by names, without a bootstrap unless asked."""
    return fit(get_law(law), runs, get_objective(objective), resamples=resamples, **rest)


@cache
def noisy_fit(law: str = "chinchilla", objective: str = "huber-log") -> FitResult:
    """A law on ``chinchilla_runs(0.01)`` without a bootstrap; fits are frozen, so tests may share one."""
    return fitted(chinchilla_runs(0.01), law, objective)
