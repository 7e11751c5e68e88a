"""Time and objective of a full Chinchilla fit and of its bootstrap, beside SciPy's optimisers, in one run.

    .venv/bin/python -m benchmarks.fit [--resamples 1000] [--peer-resamples 20]

All minimise the same objective (sum of Huber losses of ln L, delta 1e-3) on the same 240 points, drawn here from a
known law with noise. Peers: SciPy L-BFGS-B from the start grid of Hoffmann et al. 2022 (a sample of its 4,500 starts,
as in the public replication), and SciPy least_squares with its own Huber loss from 36 starts. A peer's bootstrap is
timed on fewer resamples, each warm-started at the full fit, and scaled up.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, minimize

from benchmarks._data import chinchilla_like
from scaling_core.fitting import fit, get_objective
from scaling_core.laws import get_law

DELTA = 1e-3
PEER_STARTS = 36


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    fit_s: float
    objective: float
    bootstrap_s: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--peer-resamples", type=int, default=20)
    options = parser.parse_args()
    table = chinchilla_like(240)
    x = np.log(table.frame[["params", "tokens"]].to_numpy(dtype=float))
    y = np.log(table.frame["loss"].to_numpy(dtype=float))
    rows = [_ours(table, options.resamples)]
    for name, solve in (("SciPy L-BFGS-B, 36 of Hoffmann's starts", _lbfgs), ("SciPy least_squares, 36 starts", _lm)):
        rows.append(_peer(name, solve, x, y, options))
    print(
        f"{'':42} {'fit':>9} {'objective':>14} {'above best':>11} {f'{options.resamples} resamples':>16} {'ratio':>8}"
    )
    best = min(r.objective for r in rows)
    for r in rows:
        print(
            f"{r.name:42} {r.fit_s * 1e3:7.0f}ms {r.objective:14.10f} {r.objective / best - 1:11.1e} "
            f"{r.bootstrap_s:15.2f}s {r.bootstrap_s / rows[0].bootstrap_s:7.0f}×"
        )


def _ours(table, resamples: int) -> Row:
    law, objective = get_law("chinchilla"), get_objective("huber-log")
    fit(law, table, objective, resamples=8)  # imports and first-touch out of the way, as for the peers
    alone, result = _timed(lambda: fit(law, table, objective, resamples=0))
    both, _ = _timed(lambda: fit(law, table, objective, resamples=resamples))
    return Row("Scaling Explorer, 36 starts", alone, result.value, both - alone)


def _peer(name: str, solve: Callable, x: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> Row:
    grid = itertools.product((-1, 0, 1), (0, 5, 10), (0, 5, 10), (0.5, 1.0), (0.5, 1.0))
    starts = np.array(list(grid), dtype=float)[np.random.default_rng(0).permutation(108)[:PEER_STARTS]]
    cold, solutions = _timed(lambda: [solve(s, x, y) for s in starts])
    best = min(solutions, key=lambda u: huber(u, x, y))
    rng = np.random.default_rng(1)
    picks = [rng.integers(0, len(y), len(y)) for _ in range(options.peer_resamples)]
    warm, _ = _timed(lambda: [solve(best, x[p], y[p]) for p in picks])
    return Row(name, cold, huber(best, x, y), warm / options.peer_resamples * options.resamples)


def residual(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """ln L_pred − ln L for u = (ln E, ln A, ln B, alpha, beta)."""
    terms = np.stack([np.full(len(y), u[0]), u[1] - u[3] * x[:, 0], u[2] - u[4] * x[:, 1]])
    return np.logaddexp.reduce(terms, axis=0) - y


def huber(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Sum of Huber losses."""
    size = np.abs(residual(u, x, y))
    return float(np.sum(np.where(size <= DELTA, 0.5 * size**2, DELTA * (size - 0.5 * DELTA))))


def _lbfgs(start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return minimize(huber, start, (x, y), "L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10}).x


def _lm(start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return least_squares(residual, start, args=(x, y), loss="huber", f_scale=DELTA, xtol=1e-12, ftol=1e-12).x


def _timed(work: Callable):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
