"""What the answer hangs on besides the law: the highest losses, one run, the choice of objective."""

from __future__ import annotations

import numpy as np

from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding, Severity
from scaling_core.fitting.influence import drop_path_of, influence_of
from scaling_core.fitting.objective import OBJECTIVES
from scaling_core.fitting.selection import EXCLUDED, FITTED
from scaling_core.fitting.sensitivity import sensitivity_of

#: Objectives whose answers differ by this factor are worth a word.
_NOTABLE = 1.15
#: Highest losses left out on trial: a twentieth of the runs, at least 2 and at most 12.
_SHARE, _FEWEST, _MOST = 0.05, 2, 12
#: Runs left out one at a time, those with the largest first-order influence: the largest of all is among them.
_TRIED = 20
#: Objectives to compare, all on ln L: what differs is how much the runs that lie far off count.
_COMPARED = ("huber-log", "mse-log", "mae-log")


def highest_losses(e: Evidence) -> Finding | None:
    """The answer moves as the highest losses are left out, or those left out are taken back."""
    if not e.can_refit:
        return None
    return _taken_back(e) or _left_out(e)


def _left_out(e: Evidence) -> Finding | None:
    most = min(int(np.clip(_SHARE * len(e.rows), _FEWEST, _MOST)), len(e.rows) - e.posed.problem.free - 1)
    if most < 1:  # no run can be spared
        return None
    path = drop_path_of(e.posed, e.u[None], range(1, most + 1), e.budget)
    factors = np.array([e.factor(value) for value in path[e.quantity]])
    other = np.array([e.is_another_plan(value) for value in path[e.quantity]])
    if not other.any():
        return None
    first, worst = int(np.argmax(other)), int(np.argmax(factors))
    k, value = path["k"].to_numpy(), path[e.quantity].to_numpy(dtype=float)
    text = f"Without {_highest(k[first])} the answer is {e.written(value[first])} rather than {e.digits(e.answer)}"
    text += f", without {k[worst]} it is {e.digits(value[worst])}" if worst != first else ""
    fix = "Leave out losses one by one until the answer settles."
    return Finding("highest losses", "doubt", f"{text} ({e.where}).", float(value[worst]), fix)


def _taken_back(e: Evidence) -> Finding | None:
    """Rows that were left out for their loss: higher than all that were fitted."""
    points = e.fit.points
    out = points["role"].eq(EXCLUDED) & (points["loss"] >= e.rows["loss"].max())
    if e.rows["is_final"].all():
        out &= points["is_final"]
    k = int(out.sum())
    if not 0 < k <= _MOST:
        return None
    whole = e.pose(points[out | points["role"].eq(FITTED)])
    start = whole.problem.working.from_natural(e.fit.theta)
    value = float(drop_path_of(whole, start[None], (0,), e.budget)[e.quantity].iloc[0])
    if not e.is_another_plan(value):
        return None
    text = f"With {_highest(k)}, left out here, the answer would be {e.instead(value)}."
    return Finding("highest losses", "doubt", text, value, "Say what is wrong with these runs, or fit them too.")


def single_run(e: Evidence) -> Finding | None:
    """One run without which the answer is another."""
    if not e.can_refit or len(np.unique(e.posed.groups)) <= e.posed.problem.free + 1:
        return None
    found = influence_of(e.posed, e.u, e.budget, e.quantity, _TRIED).iloc[0]
    if not e.is_another_plan(found["after"]):
        return None
    name = found["run"] if (e.rows["run"] == found["run"]).sum() == found["rows"] else f"line {found['line']}"
    text = f"Without {name} alone the answer is {e.instead(found['after'])}."
    return Finding("single run", "doubt", text, float(found["change"]), f"Check {name}, or add runs near it.")


def objective(e: Evidence) -> Finding | None:
    """Another objective gives another answer."""
    if not e.can_refit:
        return None
    others = tuple(OBJECTIVES[name] for name in _COMPARED if name != e.fit.objective)
    said = sensitivity_of(e.posed, e.u[None], e.budget, others)
    factors = [e.factor(value) for value in said[e.quantity]]
    worst = int(np.argmax(factors))
    value = float(said[e.quantity][worst])
    if factors[worst] < _NOTABLE or (e.is_open and not e.is_another_plan(value)):
        return None
    text = f"“{others[worst].title}” gives {e.instead(value)}."
    severity: Severity = "doubt" if e.is_another_plan(value) else "info"
    return Finding("objective", severity, text, value, "Look at the runs that lie far off: objectives differ on those.")


def _highest(k: int) -> str:
    return "the highest loss" if k == 1 else f"the {k} highest losses"
