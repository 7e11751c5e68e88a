"""What the law leaves unexplained, against what repeats of a run and chance would leave."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scaling_core.fitting import doubts
from scaling_core.fitting.diagnostics import logged
from scaling_core.fitting.diagnostics.chance import Labels, clipped, normal_of_f, runs_test
from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding
from scaling_core.laws import Array
from scaling_core.runs.schema import COLUMNS

#: Standard normal quantiles that chance passes once in about 30,000, 700 and 200 times.
_CERTAIN, _VERY_UNLIKELY, _UNLIKELY = 4.0, 3.0, 2.6
_ENOUGH_FOR_SIGNS = 20
_ENOUGH_REPEATS = 3
#: The law's residuals are this many times the noise of repeats before a better law is worth looking for.
_WORTH_IT = 1.5


def far_off(e: Evidence) -> Finding | None:
    """A few runs far from the law."""
    return doubts.far_off(e.residuals, len(e.fit.law.parameters))


def scatter(e: Evidence) -> Finding | None:
    """Runs all over the place."""
    return doubts.scatter(e.residuals)


def kinds(e: Evidence) -> Finding | None:
    """Runs of several kinds (data sets, say) that lie apart from one another: one law cannot be theirs."""
    for column in [] if e.is_exact else logged.kinds(e.rows):
        labels, names = pd.factorize(e.rows[column])
        if (labels < 0).any() or np.bincount(labels).min() < _ENOUGH_REPEATS:
            continue
        means = _means_apart(clipped(e.residuals), labels, e.posed.problem.free)
        if means is None:
            continue
        apart = float(means.max() - means.min())
        text = (
            f"Runs of {column} {names[int(means.argmax())]} lie {100 * apart:.2g}% above those of "
            f"{names[int(means.argmin())]}: one law is fitted to several."
        )
        return Finding("kinds", "doubt", text, apart, f"Fit each {column} apart.")
    return None


def _means_apart(r: Array, labels: Labels, free: int) -> Array | None:
    """Mean of each label where these differ by more than chance (one-way analysis of variance), else None."""
    count = np.bincount(labels)
    means = np.asarray(np.bincount(labels, r) / count)
    between, within = float(count @ (means - r.mean()) ** 2), float(np.sum((r - means[labels]) ** 2))
    over, under = len(count) - 1, len(r) - len(count) - free
    if under < 1 or within <= 0 or normal_of_f(between / over / (within / under), over, under) < _CERTAIN:
        return None
    return means


def seeds(e: Evidence) -> Finding | None:
    """What runs that repeat a configuration differ by: no law can foretell a run better."""
    noise, spare = repeats_noise(e)
    if spare < _ENOUGH_REPEATS:
        return None
    text = (
        f"Runs that repeat a configuration differ by {100 * noise:.2g}% (standard deviation): a single run is no surer."
    )
    return Finding("seeds", "info", text, noise)


def repeats_noise(e: Evidence) -> tuple[float, int]:
    """Pooled standard deviation of ln L among runs with the same predictors, and its degrees of freedom."""
    labels = _configurations(e)
    log_loss = np.log(e.rows["loss"].to_numpy(dtype=float))
    count = np.bincount(labels)
    spare = int(len(labels) - len(count))
    if not spare:
        return 0.0, 0
    off = log_loss - (np.bincount(labels, log_loss) / count)[labels]
    return math.sqrt(float(off @ off) / spare), spare


def _configurations(e: Evidence) -> Labels:
    """A number for each configuration, (n,): runs with the same predictors (but for rounding) and recipe."""
    sizes = dict.fromkeys((*e.fit.law.predictors, "params", "tokens", "unique_tokens"))
    recipe = [c for c in logged.recipe(e.rows) if c not in sizes]
    logs = pd.DataFrame({c: np.log(e.rows[c].to_numpy(dtype=float)).round(6) for c in sizes if c in e.rows})
    columns = [*logs.columns, *recipe]
    labels = np.array(logs.assign(**e.rows[recipe]).groupby(columns, dropna=False).ngroup(), dtype=np.intp)
    unknown = np.flatnonzero(logs[["params", "tokens"]].isna().any(axis=1))
    labels[unknown] = len(labels) + np.arange(len(unknown))  # whose size is not known repeats nothing
    return np.unique(labels, return_inverse=True)[1]


def lack_of_fit(e: Evidence) -> Finding | None:
    """Residuals that are more than noise, by repeats where there are some, else by their signs along N and D."""
    if e.is_exact:
        return None
    noise, spare = repeats_noise(e)
    return _against_repeats(e, noise, spare) if spare >= _ENOUGH_REPEATS else _against_signs(e)


def _against_repeats(e: Evidence, noise: float, spare: int) -> Finding | None:
    """F test of the law's residuals against the noise of repeats (Draper & Smith 1998, section 2.1)."""
    r = clipped(np.log1p(e.residuals))
    pure = spare * noise**2
    left = len(r) - e.posed.problem.free - spare
    lack = float(r @ r) - pure
    if left < 1 or pure <= 0 or lack <= 0:
        return None
    ratio = lack / left / noise**2
    if normal_of_f(ratio, left, spare) < _UNLIKELY or ratio < _WORTH_IT**2:
        return None
    text = (
        f"The law misses the runs by {math.sqrt(ratio):.1f} times what repeats of one configuration differ by: "
        "it bends otherwise than they do."
    )
    return Finding("lack of fit", "doubt", text, math.sqrt(ratio), "Compare it with a richer law.")


def _against_signs(e: Evidence) -> Finding | None:
    """Runs test of the residuals' signs (Wald & Wolfowitz 1940), along N and D by turns."""
    if len(e.rows) < _ENOUGH_FOR_SIGNS:
        return None
    named = [c for c in ("params", "tokens", "flops") if c in e.fit.law.predictors]
    scores = {}
    for name in named:
        others = [c for c in named if c != name]
        order = e.rows.sort_values([*others, name], kind="stable").index.to_numpy()
        scores[COLUMNS[name].symbol] = runs_test(e.residuals[order])
    if not scores or min(scores.values()) > -_VERY_UNLIKELY:
        return None
    symbol = min(scores, key=lambda s: scores[s])
    text = (
        f"Residuals along {symbol} keep their sign more often than chance allows ({-scores[symbol]:.1f} standard "
        "deviations): the law bends otherwise than the runs."
    )
    return Finding("lack of fit", "doubt", text, scores[symbol], "Compare it with a richer law.")
