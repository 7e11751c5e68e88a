"""What chance gives: small tests, in standard normal quantiles where they judge."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scaling_core.laws import Array

Labels = NDArray[np.intp]


def within_correlation(values: Array, groups: Labels) -> float:
    """Correlation of values within groups, by one-way analysis of variance (Fisher 1925); 0 where it cannot be told."""
    count = np.bincount(groups)
    k, n = len(count), len(values)
    if k < 2 or n <= k:
        return 0.0
    means = np.bincount(groups, values) / count
    between = float(np.sum(count * (means - values.mean()) ** 2)) / (k - 1)
    within = float(np.sum((values - means[groups]) ** 2)) / (n - k)
    size = (n - float(np.sum(count**2)) / n) / (k - 1)
    total = between + (size - 1) * within
    return (between - within) / total if total > 0 else 0.0


def normal_of_f(ratio: float, over: int, under: int) -> float:
    """Standard normal quantile of an F ratio with these degrees of freedom (Paulson 1942)."""
    a, b = 2 / (9 * over), 2 / (9 * under)
    root = math.cbrt(ratio)
    return ((1 - b) * root - (1 - a)) / math.sqrt(b * root**2 + a)


def runs_test(values: Array) -> float:
    """How many standard deviations the number of runs of one sign lies above what chance gives; negative: too few."""
    signs = values[values != 0] > 0
    a, b = int(signs.sum()), int((~signs).sum())
    n = a + b
    if min(a, b) < 2:
        return 0.0
    expected = 1 + 2 * a * b / n
    variance = (expected - 1) * (expected - 2) / (n - 1)
    return (1 + int(np.count_nonzero(signs[1:] != signs[:-1])) - expected) / math.sqrt(variance)


def clipped(residuals: Array) -> Array:
    """Residuals with those far off brought in to four times the typical size: one wrong row is no lack of fit."""
    limit = 4 * 1.4826 * float(np.median(np.abs(residuals)))
    return np.clip(residuals, -limit, limit) if limit > 0 else residuals
