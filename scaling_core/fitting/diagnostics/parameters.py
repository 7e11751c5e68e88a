"""How well the runs pin down the parameters and the answer, and whether the intervals can be true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling_core.fitting.corner import centred_draws, correlation_matrix
from scaling_core.fitting.diagnostics.evidence import Evidence, listed
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.profile import flat_finding
from scaling_core.fitting.result import DEFAULT_LEVEL, quantile_interval
from scaling_core.units import format_count, format_number, format_ratio

#: A coefficient and its exponent reach .98 to .99 on a full grid, centred: beyond, only one number is known.
_TOGETHER = 0.995
#: A parameter whose interval spans this factor is hardly known: 240 Chinchilla points give 1.05 to 1.25, centred.
_WEAK = 3.0
_TO_ZERO = 1e3
_FEWEST_DRAWS = 50
#: Profiles of more are not waited for.
_QUICK_ROWS, _QUICK_PARAMETERS = 1_000, 5
#: Standard errors this many times below what the scatter allows: as if from four times as many runs.
_NARROW = 2.0


def correlation(e: Evidence) -> Finding | None:
    """Two parameters that only move together."""
    if len(e.fit.draws) < _FEWEST_DRAWS or (len(e.rows) and e.is_exact):
        return None
    r = np.nan_to_num(correlation_matrix(e.fit).to_numpy())
    i, j = np.unravel_index(np.argmax(np.abs(np.triu(r, 1))), r.shape)
    if abs(r[i, j]) < _TOGETHER:
        return None
    first, second = e.fit.law.parameter_names[i], e.fit.law.parameter_names[j]
    text = f"{first} and {second} move together over the draws (r = {r[i, j]:.4f}): neither is known alone."
    fix = "Quote neither without the other, fix one of them, or choose a simpler law."
    return Finding("correlation", "info", text, float(r[i, j]), fix)


def weak(e: Evidence) -> Finding | None:
    """Parameters that the draws spread over a large factor; without draws, those whose profile is flat.

    A profile takes longer than all other looks together, and draws that are there already say the same.
    """
    if len(e.fit.draws) < _FEWEST_DRAWS:
        return _flat(e)
    spans = _spans(e)
    named = [name for name, span in spans.items() if span > _WEAK]
    if not named:
        return None
    widest = max(spans.values())
    by = "down to nearly zero" if widest > _TO_ZERO else f"over a factor of {format_number(widest, 2)}"
    text = f"The runs hardly pin down {listed(named)}: the {DEFAULT_LEVEL:.0%} interval goes {by}."
    fix = "Look at its profile before quoting it; fix it, choose a simpler law, or add runs."
    return Finding("weak", "doubt", text, widest, fix)


def _flat(e: Evidence) -> Finding | None:
    """What the profiles say: values far apart that fit about as well."""
    if not 0 < len(e.rows) <= _QUICK_ROWS or len(e.fit.law.parameters) > _QUICK_PARAMETERS:
        return None
    found = flat_finding(e.posed, e.u)
    return found and replace(found, name="weak")


def _spans(e: Evidence) -> dict[str, float]:
    """Upper over lower end of each centred interval, of parameters that are free, positive and not on a bound."""
    low, high = quantile_interval(centred_draws(e.fit), DEFAULT_LEVEL)
    aside = {*e.fit.certificate.on_bound, *(c.name for c in e.fit.constraints if c.is_fixed)}
    spans = {}
    for p, a, b in zip(e.fit.law.parameters, low, high, strict=True):
        if p.name not in aside and p.lower >= 0:
            spans[p.name] = float(np.exp(min(b - a, 700.0))) if p.log else float(b / a) if a > 0 else float("inf")
    return spans


def open_answer(e: Evidence) -> Finding | None:
    """An interval of the split too wide to plan with."""
    if e.quantity != "tokens_per_param" or len(e.fit.draws) < _FEWEST_DRAWS or e.interval is None or not e.is_open:
        return None
    low, high = e.interval
    text = (
        f"The runs leave the split open: {format_number(low, 2)} to {format_number(high, 2)} tokens per parameter "
        f"({DEFAULT_LEVEL:.0%}, {e.where})."
    )
    return Finding("open split", "doubt", text, high / low, "Add runs on both sides of the best size at large budgets.")


def too_narrow(e: Evidence) -> Finding | None:
    """Draws that vary less than the scatter of the runs allows."""
    free = e.posed.problem.free - len(e.fit.certificate.on_bound)
    spare = len(e.rows) - free
    if len(e.fit.draws) < _FEWEST_DRAWS or e.is_exact or free < 1 or spare < 1:
        return None
    # Least squares of p parameters on n runs of scatter s foretells those runs to s·√(p/n), whatever the design; the
    # typical (median) scatter leaves out heavy tails, which only add.
    size = 1.4826 * float(np.median(np.abs(e.residuals))) * np.sqrt(len(e.rows) / spare)
    attainable = size * np.sqrt(free / len(e.rows))
    x = {name: e.rows[name].to_numpy(dtype=float) for name in e.fit.law.predictors}
    with np.errstate(all="ignore"):
        claimed = float(np.sqrt(np.nanmean(np.var(np.log(e.fit.law.predict(e.fit.draws, x)), axis=0, ddof=1))))
    if not claimed * _NARROW < attainable:
        return None
    n = implied_sample_size(len(e.rows), attainable, claimed)
    text = (
        f"The intervals are {format_ratio(attainable / claimed)} narrower than the scatter of {len(e.rows)} runs "
        f"allows, as if there were {format_count(n)}."
    )
    return Finding("narrow", "problem", text, n, "Draw by pairs, and resample checkpoints of one run together.")


def implied_sample_size(n: int, own_error: float, claimed_error: float) -> float:
    """How many runs a claimed standard error stands for, where ``n`` like ours give ``own_error``.

    Errors fall with the root of the number of runs. For the exponent of the published Chinchilla fit this gives
    hundreds of thousands, against fewer than 500 that were trained (Besiroglu et al. 2024, section 3.3).
    """
    return float(n * (own_error / claimed_error) ** 2) if claimed_error > 0 else float("inf")
