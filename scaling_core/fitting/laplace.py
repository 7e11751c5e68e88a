"""Draws without a refit: a normal distribution around the optimum, as wide as the sandwich says."""

from __future__ import annotations

import numpy as np

from scaling_core.fitting.sandwich import sandwich
from scaling_core.fitting.solver import Problem
from scaling_core.laws import Array


def laplace(problem: Problem, u: Array, weights: Array, groups: Array, resamples: int, seed: int) -> Array:
    """Draw working coordinates, shape (R, p), around the optimum ``u`` (p,), within their bounds."""
    covariance = sandwich(problem, u, weights, groups).covariance
    size = np.sqrt(np.diag(covariance))
    unit = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(unit, unit))
    root = unit[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(seed).standard_normal((resamples, len(u)))
    return np.asarray(np.clip(u + normal @ root.T, problem.working.lower, problem.working.upper))
