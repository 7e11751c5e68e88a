"""A fitted law as lines to draw: one for each size (or one in all), inside the runs and beyond them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.result import DEFAULT_LEVEL, FitResult
from scaling_core.fitting.selection import FITTED
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array, Law, Mask

MAX_CURVES = 8
MAX_CONTOURS = 9
_POINTS = 80
_RATIOS = 120


def line(fit: FitResult, beyond: float = 30.0, level: float = DEFAULT_LEVEL) -> pd.DataFrame:
    """A law in one predictor: columns of that predictor, ``loss``, ``loss_low``, ``loss_high`` and ``inside``.

    Runs from half the smallest fitted value to ``beyond`` times the largest.
    """
    (predictor,) = fit.law.predictors
    low, high = fit.ranges[predictor]
    x = _with_ends(np.geomspace(low / 2, high * beyond, _POINTS), low, high)
    band = fit.predict({predictor: x}, level)
    return pd.DataFrame({
        predictor: x, "loss": band.value, "loss_low": band.low, "loss_high": band.high,
        "inside": (x >= low) & (x <= high),
    })  # fmt: skip


def family(fit: FitResult, x: str, beyond: float = 4.0, fixed: str = "", levels: Array | None = None) -> pd.DataFrame:
    """A law in N and D as curves along ``x`` (``flops``, ``tokens`` or ``params``), each at one fixed value.

    ``fixed`` names what does not change along a curve: D or C (isoFLOP curves) where ``x`` is ``params``, N or C where
    it is ``tokens``; by default N, or D along N. ``levels`` are its values; by default a few of the runs' own.

    Returns ``params``, ``tokens``, ``flops``, ``loss``, ``level`` (the fixed value of the curve) and ``inside``.
    Compute is counted as the runs count it: 6ND times their median C/(6ND).
    """
    fixed = fixed or ("tokens" if x == "params" else "params")
    if fixed == "flops":
        return _at_fixed_compute(fit, x, levels)
    moving = "params" if fixed == "tokens" else "tokens"
    factor = _flops_factor(fit)
    parts = []
    for level in _levels(_fitted(fit)[fixed].to_numpy(dtype=float)) if levels is None else levels:
        low, high = fit.ranges[moving]
        along = _with_ends(np.geomspace(low / 2, high * beyond, _POINTS), low, high)
        part = pd.DataFrame({fixed: np.full(len(along), level), moving: along})
        part["flops"] = factor * FLOPS_PER_PARAM_TOKEN * part["params"] * part["tokens"]
        part["loss"] = _loss_along(fit, part)
        part["inside"] = (along >= low) & (along <= high)
        parts.append(part.assign(level=level))
    return pd.concat(parts, ignore_index=True)


def _at_fixed_compute(fit: FitResult, x: str, levels: Array | None) -> pd.DataFrame:
    """Curves at one C each, over the sizes (or lengths) that the runs come near."""
    levels = _levels(_fitted(fit)["flops"].dropna().to_numpy(dtype=float)) if levels is None else levels
    low, high = fit.ranges[x]
    other = "tokens" if x == "params" else "params"
    reach = fit.ranges[other]
    parts = []
    for level in levels:
        product = level / (_flops_factor(fit) * FLOPS_PER_PARAM_TOKEN)
        # Where the other quantity would be absurd, the curve says nothing and its loss spoils the axis.
        start, end = max(low, product / reach[1]) / 2, min(high, product / reach[0]) * 2
        along = _with_ends(np.geomspace(start, max(start, end), _POINTS), low, high)
        along = along[(along >= start) & (along <= end)]
        part = pd.DataFrame({x: along, other: product / along, "flops": level})
        part["loss"] = _loss_along(fit, part)
        part["inside"] = part[x].between(low, high) & part[other].between(*reach)
        parts.append(part.assign(level=level))
    return pd.concat(parts, ignore_index=True)


def _loss_along(fit: FitResult, part: pd.DataFrame) -> Array:
    """Loss of a law on a curve; a law of repeated data takes every token there as new."""
    return fit.predict({c: part[c].to_numpy() for c in fit.law.predictors if c in part}).value


def _fitted(fit: FitResult) -> pd.DataFrame:
    return fit.points[fit.points["role"] == FITTED]


def _flops_factor(fit: FitResult) -> float:
    """Median C/(6ND) of the fitted runs; 1 where they are not known, as in a fit read from a file."""
    if fit.points.empty:
        return 1.0
    runs = _fitted(fit)
    ratio = (runs["flops"] / (FLOPS_PER_PARAM_TOKEN * runs["params"] * runs["tokens"])).median()
    return float(ratio) if np.isfinite(ratio) else 1.0


def _levels(values: Array) -> Array:
    """The values themselves if few, else values of the runs spread evenly over their range in ln."""
    distinct = np.unique(values)
    if len(distinct) <= MAX_CURVES:
        return distinct
    wanted = np.geomspace(distinct[0], distinct[-1], MAX_CURVES)
    nearest = np.abs(np.log(distinct)[:, None] - np.log(wanted)).argmin(axis=0)
    return np.asarray(distinct[np.unique(nearest)])


def _with_ends(grid: Array, low: float, high: float) -> Array:
    """Put the ends of the data on the grid, so that a solid line stops exactly there."""
    return np.unique(np.concatenate([grid, [low, high]]))


def contours(fit: FitResult, levels: Array | None = None, beyond: float = 4.0) -> pd.DataFrame:
    """Lines of equal loss of a law in N and D, from half the smallest fitted N and D to ``beyond`` times the largest.

    A line of equal loss falls steeply where tokens are many and runs flat where they are few, so it is not followed
    along N or D but from one ratio D/N to the next: along each, loss falls as N and D grow together, and ln N at which
    it passes the level is found by bisection. This holds for every law that falls in both.

    Returns ``params``, ``tokens``, ``loss_level`` and ``inside`` (N, D and 6ND within those of the fitted runs), along
    each line from many tokens per parameter to few. ``levels`` are losses; by default ``MAX_CONTOURS`` round ones.

    Raises
    ------
    UserError
        If the law does not read N and D, or reads something else that they do not give.
    """
    if not {"params", "tokens"} <= set(fit.law.predictors) <= {"params", "tokens", "flops"}:
        raise UserError(
            f"{fit.law.title} is no law in N and D, so it has no lines of equal loss to draw.",
            fix="Choose a law in N and D.",
        )
    window = np.log([(fit.ranges[name][0] / 2, fit.ranges[name][1] * beyond) for name in ("params", "tokens")])
    levels = _round_losses(fit, window) if levels is None else np.asarray(levels, dtype=float)
    (low_n, high_n), (low_d, high_d) = window
    ratio = np.linspace(high_d - low_n, low_d - high_n, _RATIOS)  # ln D/N, from one corner to the other
    low = np.broadcast_to(np.maximum(low_n, low_d - ratio), (len(levels), _RATIOS))
    high = np.broadcast_to(np.minimum(high_n, high_d - ratio), (len(levels), _RATIOS))
    wanted = levels[:, None]
    crosses = (_loss_at(fit, low, ratio) >= wanted) & (_loss_at(fit, high, ratio) <= wanted)
    log_n = _bisect(lambda log_n: _loss_at(fit, log_n, ratio) > wanted, low, high)
    level, ray = np.nonzero(crosses)
    log_params = log_n[crosses]
    out = pd.DataFrame({"params": np.exp(log_params), "tokens": np.exp(log_params + ratio[ray])})
    return out.assign(loss_level=levels[level], inside=_within(fit, out))


def chain_curves(law: Law, chain: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    """Loss against compute by each fit of ``forward_chain``: ``cut``, ``flops``, ``loss`` and ``inside`` (C < cut).

    ``low`` and ``high`` bound C. The loss is that of the best split of C, or that of C itself for a law in C alone;
    any other law has no such curve, and the frame is empty.
    """
    names = [f"parameter_{n}" if f"parameter_{n}" in chain else n for n in law.parameter_names]
    parts = []
    for cut, theta in zip(chain["cut"], chain[names].to_numpy(dtype=float), strict=True):
        flops = np.geomspace(low, high, _POINTS)
        flops = np.unique(np.append(flops, cut)) if low < cut < high else flops
        best = law.optimum(theta, flops)
        if best is None and law.predictors != ("flops",):
            break
        loss = law.predict(theta, {"flops": flops}) if best is None else best.loss
        parts.append(pd.DataFrame({"cut": cut, "flops": flops, "loss": loss, "inside": flops <= cut}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["cut", "flops", "loss", "inside"])


def _loss_at(fit: FitResult, log_n: Array, log_ratio: Array) -> Array:
    """Loss at ln N and ln D/N, of their common shape."""
    params = np.exp(log_n)
    tokens = np.exp(log_n + log_ratio)
    x = {"params": params.ravel(), "tokens": tokens.ravel()}
    if "flops" in fit.law.predictors:
        x["flops"] = FLOPS_PER_PARAM_TOKEN * _flops_factor(fit) * x["params"] * x["tokens"]
    return fit.law.predict(fit.theta, x).reshape(params.shape)


def _bisect(is_below: Callable[[Array], Mask], low: Array, high: Array) -> Array:
    """Where a condition that holds at ``low`` ends before ``high``, to a billionth of their distance."""
    for _ in range(30):
        middle = (low + high) / 2
        below = is_below(middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _round_losses(fit: FitResult, window: Array) -> Array:
    """Losses at even steps from the window's corner of small N and D to that of large, in few digits."""
    steps = np.linspace(window[:, 0], window[:, 1], MAX_CONTOURS + 2)[1:-1]
    losses = _loss_at(fit, steps[:, 0], steps[:, 1] - steps[:, 0])
    for digits in (2, 3, 4):
        rounded = np.unique([float(f"{v:.{digits}g}") for v in losses])
        if len(rounded) == MAX_CONTOURS:
            break
    return np.asarray(rounded)


def _within(fit: FitResult, at: pd.DataFrame) -> pd.Series:
    """Whether N, D and C lie within those of the fitted runs; small C is no extrapolation in itself."""
    inside = at["params"].between(*fit.ranges["params"]) & at["tokens"].between(*fit.ranges["tokens"])
    if "flops" not in fit.ranges:
        return inside
    flops = FLOPS_PER_PARAM_TOKEN * _flops_factor(fit) * at["params"] * at["tokens"]
    return inside & (flops <= fit.ranges["flops"][1])
