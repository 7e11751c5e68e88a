"""What N and C count: embeddings or not, 6ND or more."""

from __future__ import annotations

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding, Severity
from scaling_core.fitting.refit import distinct_ends
from scaling_core.fitting.solver import minimise_starts
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array

#: A share of embeddings that shows in the exponents.
_EMBEDDINGS = 0.1
_SAY_WHICH = "Say which is meant, and count the planned model likewise."
#: Exponents of the best N that differ by this give other plans a decade beyond the runs.
_OTHER_GROWTH = 0.03
#: Below this many parameters embeddings are a good part of a model.
SMALL_MODEL = 3e8
#: C this far from 6ND, in the median, was counted otherwise.
_COUNTED, _FAR = 0.05, 0.5


def embeddings(e: Evidence) -> Finding | None:
    """N counts embeddings, or leaves them out, and it matters."""
    if "params" not in e.fit.law.predictors:
        return None
    return _both_counts(e) if "params_non_embedding" in e.rows else _left_out(e)


def _both_counts(e: Evidence) -> Finding | None:
    total, without = (e.rows[c].to_numpy(dtype=float) for c in ("params", "params_non_embedding"))
    if not (np.isfinite(without) & (without > 0)).all():
        return None
    share = float(1 - (without / total).min())
    if share < _EMBEDDINGS:
        return None
    ours, other = growth(e, e.fit.theta), _growth_with(e, without)
    text = f"Embeddings are up to {100 * share:.0f}% of N"
    if not np.isfinite([ours, other]).all():
        return Finding("embeddings", "info", f"{text}.", share, _SAY_WHICH)
    if abs(other - ours) < _OTHER_GROWTH:
        return None
    text += f": without them the best N grows as C^{other:.2f} rather than C^{ours:.2f}."
    return Finding("embeddings", "doubt", text, other - ours, _SAY_WHICH)


def _left_out(e: Evidence) -> Finding | None:
    conventions = {s.params_convention for s in e.table.sources}
    smallest = float(e.rows["params"].min())
    if conventions != {"non-embedding"} or smallest >= SMALL_MODEL:
        return None
    text = "N leaves out embeddings: where models are small, the best N then seems to grow faster with C than it does."
    fix = "Fit total parameters as well and compare (Pearce & Song 2024, arXiv 2406.12907)."
    return Finding("embeddings", "info", text, smallest, fix)


def growth(e: Evidence, theta: Array) -> float:
    """Exponent of the best N in C around the budget; NaN for a law without a best split."""
    best = e.fit.law.optimum(theta, e.budget * np.array([1.0, 10.0]))
    return float(np.diff(np.log10(best.params))[0]) if best is not None else float("nan")


def _growth_with(e: Evidence, params: Array) -> float:
    """The same with N counted otherwise."""
    try:
        posed = e.pose(e.rows.assign(params=params))
    except UserError:
        return float("nan")
    solution = minimise_starts(posed.problem, posed.starts, posed.weights)
    return growth(e, posed.problem.working.to_natural(distinct_ends(solution)[0]))


def compute(e: Evidence) -> Finding | None:
    """C that was counted otherwise than plans count it."""
    ratio = (e.rows["flops"] / (FLOPS_PER_PARAM_TOKEN * e.rows["params"] * e.rows["tokens"])).to_numpy(dtype=float)
    ratio = ratio[np.isfinite(ratio)]
    if not len(ratio) or float(np.median(np.abs(ratio - 1))) < _COUNTED:
        return None
    low, typical, high = np.quantile(ratio, [0, 0.5, 1])
    text = f"C is {typical:.2f} times 6ND in these runs ({low:.2f} to {high:.2f}), and plans count C as 6ND."
    severity: Severity = "doubt" if not 1 / (1 + _FAR) < typical < 1 + _FAR else "info"
    return Finding("compute", severity, text, float(typical), "Count the budget's C as 6ND too, or the runs' C.")
