"""How parameters vary together over the draws of a fit: for a corner chart, and to say what the runs cannot part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from scaling_core.fitting.result import FitResult
from scaling_core.fitting.selection import FITTED
from scaling_core.laws import Array

#: Points of a corner chart: a cloud of more looks the same.
MAX_POINTS = 600
#: A parameter that spreads by less than this share of itself is fixed.
_ROUNDING = 1e-12


class Corner(NamedTuple):
    """Draws and their correlations, in tidy frames.

    Attributes
    ----------
    draws : pandas.DataFrame
        ``draw`` (its number), ``parameter``, ``value`` (as in the law) and ``centred`` (as the solver works on it:
        coefficients at the centre of the runs, over the typical loss).
    pairs : pandas.DataFrame
        A row for each pair of parameters: ``first``, ``second``, ``r`` and ``r_centred``, over all draws.
    """

    draws: pd.DataFrame
    pairs: pd.DataFrame


def corner(fit: FitResult, most: int = MAX_POINTS) -> Corner:
    """Up to ``most`` draws, evenly from all, and the correlation of each pair; empty frames without draws."""
    names = list(fit.law.parameter_names)
    kept = np.unique(np.linspace(0, max(len(fit.draws) - 1, 0), most).round().astype(int))[: len(fit.draws)]
    draws = pd.DataFrame({
        "draw": np.repeat(kept, len(names)),
        "parameter": names * len(kept),
        "value": fit.draws[kept].ravel(),
        "centred": centred_draws(fit)[kept].ravel(),
    })  # fmt: skip
    natural, centred = (correlation_matrix(fit, centred=c).to_numpy() for c in (False, True))
    i, j = np.triu_indices(len(names), 1)
    pairs = {"first": np.array(names)[i], "second": np.array(names)[j], "r": natural[i, j], "r_centred": centred[i, j]}
    return Corner(draws, pd.DataFrame(pairs))


def correlation_matrix(fit: FitResult, *, centred: bool = True) -> pd.DataFrame:
    """Correlations of the parameters over the draws, p rows by p columns.

    Centred, a coefficient is what its term comes to at the centre of the runs: uncentred, it goes with its exponent
    whatever the runs are like (corr(ln A, alpha) is about .999). NaN for a parameter that does not vary, and without
    draws.
    """
    names = list(fit.law.parameter_names)
    draws = centred_draws(fit) if centred else fit.draws
    if len(draws) < 2:
        return pd.DataFrame(np.nan, names, names)
    spread = draws.std(axis=0)
    fixed = spread <= _ROUNDING * np.abs(draws.mean(axis=0))
    r = np.cov(((draws - draws.mean(axis=0)) / np.where(fixed, np.nan, spread)).T, bias=True)
    return pd.DataFrame(r, names, names)


def centred_draws(fit: FitResult) -> Array:
    """The draws in a solver's coordinates, centred on the fitted runs, (R, p)."""
    if not len(fit.draws):
        return fit.draws
    x, loss = _centre(fit)
    return fit.law.working(x, loss).from_natural(fit.draws)


def _centre(fit: FitResult) -> tuple[dict[str, Array], float]:
    """Predictors whose mean in ln is the centre, and the typical loss; for a fit from a file, from its ranges."""
    if len(fit.points):
        rows = fit.points[fit.points["role"] == FITTED]
        loss = np.exp(np.log(rows["loss"].to_numpy(dtype=float)).mean())
        return {name: rows[name].to_numpy(dtype=float) for name in fit.law.predictors}, float(loss)
    x = {name: np.array(fit.ranges.get(name, (1.0, 1.0))) for name in fit.law.predictors}
    return x, float(np.sqrt(np.prod(fit.ranges["loss"])))
