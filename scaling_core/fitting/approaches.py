"""Three ways to the same answer (Hoffmann et al. 2022, section 3): how N* and D* grow with compute.

The lowest loss at each C, the minima of isoFLOP profiles, and a law fitted to all runs. They share the runs but not
their assumptions, so agreement is evidence and disagreement is a warning. What the first two get wrong on these very
runs is told by giving them losses of the fitted law in place of the measured ones, where the right answer is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.budget import placed_rows
from scaling_core.fitting.envelope import Envelope, envelope_of
from scaling_core.fitting.exponents import PowerFit
from scaling_core.fitting.isoflop import DEFAULT_RESAMPLES, DEFAULT_TOLERANCE, IsoflopProfiles, profiles_of
from scaling_core.fitting.minimum import Method
from scaling_core.fitting.result import DEFAULT_LEVEL, FitResult
from scaling_core.fitting.selection import Selection
from scaling_core.runs.schema import RunTable

_TITLES = {"envelope": "Lowest loss at each C", "isoflop": "IsoFLOP profiles", "parametric": "Fitted law"}
_NAN = float("nan")


def approaches(
    table: RunTable,
    fit: FitResult | None = None,
    selection: Selection | None = None,
    *,
    target_flops: float | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    method: Method = "parabola",
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = DEFAULT_LEVEL,
) -> pd.DataFrame:
    """Compare the exponents of N* ~ C^a and D* ~ C^b by three approaches.

    Parameters
    ----------
    fit : FitResult, optional
        The law of the third row, with its draws. Without one that row says so.
    target_flops : float, optional
        The budget of ``params`` and ``tokens``; by default the largest of the chosen runs.
    tolerance, method, resamples, seed
        As ``isoflop_profiles`` and ``envelope`` take them.
    level : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        Three rows, ``approach`` being envelope, isoflop and parametric: ``title``, ``a``, ``a_low``, ``a_high``,
        ``b``, ``b_low``, ``b_high``, ``bias`` (by how much ``a`` would come out too large on these runs if the fitted
        law were true; NaN without a law), ``n`` (budgets or runs it goes through), ``target_flops``, ``params`` and
        ``tokens`` there, and ``reason``: why a row or its interval is missing, else empty.

    Raises
    ------
    UserError
        If no chosen row has N, D, C and a loss.
    """
    selection = selection or Selection()
    every = placed_rows(table, replace(selection, checkpoints="all"))
    chosen = placed_rows(table, selection)
    target = target_flops or float(chosen["flops"].max())
    options = {"resamples": resamples, "seed": seed, "tolerance": tolerance}
    rows = [
        _measured("envelope", envelope_of, every, fit, options, target, level),
        _measured("isoflop", profiles_of, chosen, fit, {**options, "method": method}, target, level),
        _parametric(fit, chosen, target, level),
    ]
    return pd.DataFrame(rows)


def law_exponents(fit: FitResult, low: float, high: float) -> tuple[PowerFit, PowerFit] | None:
    """Exponents of N* and D* of a law between two budgets; None where it does not split budgets.

    For a law of two power terms they are β/(α+β) and α/(α+β) at all budgets; for others they change with compute.
    """
    flops = np.array([low, high])
    if fit.law.optimum(fit.theta, flops) is None:
        return None
    theta = np.concatenate([fit.theta[None], fit.draws])
    best = fit.law.optimum(theta, flops)
    assert best is not None
    found = []
    for split in (best.params, best.tokens):
        z = np.log(split)
        slope = (z[:, 1] - z[:, 0]) / np.log(high / low)
        lines = np.stack([slope, z[:, 0] - slope * np.log(low)], axis=1)
        draws = lines[1:][np.isfinite(lines[1:]).all(axis=1)]
        found.append(PowerFit(float(lines[0, 0]), float(lines[0, 1]), draws, fit.n_points))
    return found[0], found[1]


def _measured(
    name: str,
    find: Callable[..., Envelope | IsoflopProfiles],
    rows: pd.DataFrame,
    fit: FitResult | None,
    options: dict[str, Any],
    target: float,
    level: float,
) -> dict[str, Any]:
    """The row of an approach that looks at losses; and its bias, from losses of the fitted law."""
    try:
        found = find(rows, **options)
    except UserError as error:
        return _row(name, None, None, _NAN, target, level, error.line())
    if found.params is None or found.tokens is None:
        problems = [f"{f.text} {f.fix}" for f in found.findings if f.severity == "problem"]
        return _row(name, None, None, _NAN, target, level, " ".join(problems))
    reason = " ".join(f"{f.text} {f.fix}" for f in found.findings if f.name == "no interval")
    return _row(name, found.params, found.tokens, _bias(find, rows, fit, options), target, level, reason)


def _bias(
    find: Callable[..., Envelope | IsoflopProfiles],
    rows: pd.DataFrame,
    fit: FitResult | None,
    options: dict[str, Any],
) -> float:
    if fit is None or not set(fit.law.predictors) <= set(rows):
        return _NAN
    right = law_exponents(fit, float(rows["flops"].min()), float(rows["flops"].max()))
    if right is None:
        return _NAN
    x = {name: rows[name].to_numpy(dtype=float) for name in fit.law.predictors}
    try:
        found = find(rows.assign(loss=fit.law.predict(fit.theta, x)), **{**options, "resamples": 0})
    except UserError:
        return _NAN
    return found.params.exponent - right[0].exponent if found.params else _NAN


def _parametric(fit: FitResult | None, rows: pd.DataFrame, target: float, level: float) -> dict[str, Any]:
    if fit is None:
        return _row("parametric", None, None, _NAN, target, level, "No law is fitted.")
    found = law_exponents(fit, float(rows["flops"].min()), float(rows["flops"].max()))
    if found is None:
        reason = f"{fit.law.title} does not say how to split compute between parameters and tokens."
        return _row("parametric", None, None, _NAN, target, level, reason)
    if not np.isfinite(found[0].exponent):
        reason = f"{fit.law.title} as fitted has no best split: one of its terms has vanished."
        return _row("parametric", None, None, _NAN, target, level, reason)
    return _row("parametric", *found, 0.0, target, level)


def _row(
    name: str,
    params: PowerFit | None,
    tokens: PowerFit | None,
    bias: float,
    target: float,
    level: float,
    reason: str = "",
) -> dict[str, Any]:
    (a_low, a_high), (b_low, b_high) = (p.interval(level) if p else (_NAN, _NAN) for p in (params, tokens))
    at = [float(p.predict(np.array([target])).value[0]) if p else _NAN for p in (params, tokens)]
    return {
        "approach": name, "title": _TITLES[name], "a": params.exponent if params else _NAN, "a_low": a_low,
        "a_high": a_high, "b": tokens.exponent if tokens else _NAN, "b_low": b_low, "b_high": b_high, "bias": bias,
        "n": params.n if params else 0, "target_flops": target, "params": at[0], "tokens": at[1], "reason": reason,
    }  # fmt: skip
