"""How far the question lies from the runs, and how well the law foretold runs that it was not shown."""

from __future__ import annotations

import numpy as np

from scaling_core.fitting.backtest import HeldOut
from scaling_core.fitting.diagnostics.evidence import ANOTHER_PLAN, Evidence, listed
from scaling_core.fitting.finding import Finding, Severity
from scaling_core.fitting.outcome import outcome
from scaling_core.fitting.refit import refits
from scaling_core.runs.schema import COLUMNS
from scaling_core.units import format_flops, format_ratio

#: Beyond the largest run by more than this, and a question is far; by more than the second, very far.
_FAR, _VERY_FAR = 10.0, 100.0
#: Held-out errors this many times those on the fitted runs say that the law does not carry on.
_WORSE = 2.0
#: An error that no plan would turn on.
_SMALL = 0.01
_FOLDS = 10


def extrapolation(e: Evidence) -> Finding | None:
    """How far a budget that was asked about lies outside the runs, in N, D and C."""
    if not e.asked or not len(e.rows):
        return None
    said = outcome(e.fit.law, e.fit.theta[None], e.rows, e.asked).iloc[0]
    asked = {"flops": e.asked, "params": float(said["params"]), "tokens": float(said["tokens"])}
    outside = {name: _outside(value, e.fit.ranges.get(name)) for name, value in asked.items()}
    most = max(outside.values())
    if most <= 1:
        return None
    beyond = _sides(
        {name: times for name, times in outside.items() if times > 1 and asked[name] > e.fit.ranges[name][1]}
    )
    below = _sides(
        {name: times for name, times in outside.items() if times > 1 and asked[name] < e.fit.ranges[name][0]}
    )
    parts = [f"beyond the largest run {beyond}"] * bool(beyond) + [f"below the smallest {below}"] * bool(below)
    severity: Severity = "info" if most <= _FAR else "doubt"
    fix = (
        "Train a run on the way there first." if most <= _VERY_FAR else "Train runs on the way there: this is a guess."
    )
    return Finding("extrapolation", severity, f"The question lies {' and '.join(parts)}.", most, fix)


def _sides(outside: dict[str, float]) -> str:
    parts = [f"{format_ratio(times)} in {COLUMNS[name].symbol}" for name, times in outside.items()]
    return listed(parts)


def _outside(value: float, extent: tuple[float, float] | None) -> float:
    return max(value / extent[1], extent[0] / value) if extent and np.isfinite(value) else 0.0


def largest_held_out(e: Evidence) -> Finding | None:
    """Error on the largest runs when fitted without them, and the answer that would have been given."""
    if not e.can_refit or e.ahead is None:
        return None
    a = e.ahead
    answer = float(e.said(a.theta[None])[0])
    runs = "the larger run" if a.n_test == 1 else f"the {a.n_test} larger runs"
    text = (
        f"Fitted below {format_flops(a.above, 2)} FLOPs, the law foretells {runs} to "
        f"{_percent(a.error)} (up to {format_ratio(a.beyond)} the compute)"
    )
    if e.factor(answer) >= ANOTHER_PLAN:
        inside = e.interval is not None and e.interval[0] <= answer <= e.interval[1]
        severity: Severity = "info" if inside else "doubt"
        text += f", but gives {e.instead(answer)}."
        fix = "Do not read the split off losses foretold well: add runs around the best size at large budgets."
        return Finding("largest held out", severity, text, a.error, fix)
    if _is_worse(e, a):
        text += f", against {_percent(a.in_sample_error)} on the runs fitted."
        return Finding("largest held out", "doubt", text, a.error, "Compare laws by this error, not by their fit.")
    return Finding("largest held out", "good", f"{text}.", a.error)


def _is_worse(e: Evidence, a: HeldOut) -> bool:
    """Whether the error held out is larger than on the fitted runs, beyond its own standard error."""
    spare = max(a.n_train - e.posed.problem.free, 1)
    own = a.in_sample_error * np.sqrt(a.n_train / spare)  # fitted runs lie nearer, having been fitted
    return bool(a.error - np.nan_to_num(a.error_se) > _WORSE * own and a.error > _SMALL)


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share >= 1e-4 else "less than 0.01%"


def random_folds(e: Evidence) -> Finding | None:
    """Random folds lie between their neighbours: they hide how a law fails beyond the runs."""
    if not e.can_refit or e.ahead is None:
        return None
    error = random_fold_error(e)
    if e.ahead.error < _WORSE * error or e.ahead.error < _SMALL:
        return None
    text = (
        f"Random folds would promise an error of {_percent(error)}; on the largest runs, held out together, it is "
        f"{_percent(e.ahead.error)}."
    )
    return Finding("random folds", "info", text, e.ahead.error / error, "Judge laws by whole groups left out.")


def random_fold_error(e: Evidence) -> float:
    """Mean of |L/L_pred − 1| over 10 random folds of whole runs, as a fraction."""
    groups = np.unique(e.posed.groups, return_inverse=True)[1]
    count = int(groups.max()) + 1
    fold = (np.random.default_rng(e.fit.seed).permutation(count) % min(_FOLDS, count))[groups]
    folds = np.arange(fold.max() + 1)
    found = refits(e.posed.problem, e.u, (fold != folds[:, None]) * e.posed.weights)
    x = {name: e.posed.rows[name].to_numpy(dtype=float) for name in e.fit.law.predictors}
    predicted = e.fit.law.predict(e.posed.problem.working.to_natural(found.u), x)
    own = predicted[fold, np.arange(len(fold))]
    return float(np.abs(e.posed.rows["loss"].to_numpy(dtype=float) / own - 1).mean())
