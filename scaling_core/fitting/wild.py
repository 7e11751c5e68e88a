"""Wild bootstrap (Wu 1986; Liu 1988): refit where each residual, or each run's residuals together, may change sign.

Runs stay where they are, and residuals as large as they are there: no resample lacks the only large model.
A fit bends towards its runs, so residuals are first stretched to what they would be without that: r/(1 − leverage) for
squared error (Davidson & Flachaire 2008), for absolute error about the correction of Feng, He & Hu 2011. Without it,
intervals of 90% held the truth in 83% of simulated sets of 240 runs under Huber's cost. Signs of ±1 are what Feng, He &
Hu ask of weights for the median; Mammen's two-point weights are not, and held it in 65%.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling_core.fitting.bootstrap import Resampled, refit
from scaling_core.fitting.sandwich import sandwich
from scaling_core.fitting.solver import Problem
from scaling_core.laws import Array


def wild(problem: Problem, u: Array, weights: Array, groups: Array, resamples: int, seed: int) -> tuple[Array, int]:
    """Refit from the full fit ``u`` (p,) with flipped residuals. Returns draws (R, p) and how many failed.

    ``groups`` (n,) holds an integer for each row; residuals of one group change sign together (Cameron, Gelbach &
    Miller 2008).
    """
    stretched = sandwich(problem, u, weights, groups).stretched
    predicted = problem.target + problem.residuals(u[None])[0]
    _, index = np.unique(groups, return_inverse=True)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(resamples, int(index.max()) + 1))

    def resampled(rows: slice) -> Resampled:
        return replace(problem, target=predicted - signs[rows][:, index] * stretched), weights

    return refit(problem, u, resamples, resampled)
