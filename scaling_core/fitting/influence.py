"""Which runs a fit hangs on: refits without the highest losses, and without each run in turn, as batched solves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.fitting.fit import Posed, pose
from scaling_core.fitting.objective import Objective
from scaling_core.fitting.options import Constraint
from scaling_core.fitting.outcome import AT_BUDGET, GOPHER_FLOPS, main_quantity, outcome, parameter_columns
from scaling_core.fitting.refit import distinct_ends, refits
from scaling_core.fitting.selection import Selection, highest_first
from scaling_core.fitting.solver import minimise_starts
from scaling_core.laws import Array, Law
from scaling_core.runs.schema import RunTable

Indices = NDArray[np.intp]

DEFAULT_KS = tuple(range(21))
#: Runs left out one at a time; of more, those with the largest first-order influence.
MAX_LEFT_OUT = 400


def drop_path(
    law: Law,
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    ks: Iterable[int] = DEFAULT_KS,
    target_flops: float = GOPHER_FLOPS,
    *,
    weights: str = "",
    constraints: tuple[Constraint, ...] = (),
) -> pd.DataFrame:
    """What a fit says as its k highest losses are left out.

    ``ks`` counts from all chosen rows: how many ``selection`` itself drops does not matter. A k that leaves too few
    rows for the law is left out.

    Returns
    -------
    pandas.DataFrame
        A row for each k: ``k``, ``n`` (rows fitted), ``tied`` (the cut goes through rows of equal loss, of which the
        first in the table are dropped), one column a parameter, ``value`` of the objective, and at ``target_flops``
        ``params``, ``tokens``, ``tokens_per_param`` and ``loss``.

    Raises
    ------
    UserError
        As ``fit`` does.
    """
    selection = replace(selection or Selection(), drop_highest_loss=0)
    posed = pose(law, table, objective, selection, weights=weights, constraints=constraints)
    first = minimise_starts(posed.problem, posed.starts, posed.weights)
    return drop_path_of(posed, distinct_ends(first), ks, target_flops)


def drop_path_of(posed: Posed, starts: Array, ks: Iterable[int], target_flops: float) -> pd.DataFrame:
    """``drop_path`` of a law that is already put to all chosen rows, from starts (S, p)."""
    loss = posed.rows["loss"].to_numpy(dtype=float)
    counts = np.array([k for k in sorted(set(ks)) if 0 <= k < len(loss) - posed.problem.free], dtype=int)
    order = highest_first(loss)
    place = np.argsort(order)
    kept = (place >= counts[:, None]) * posed.weights
    found = refits(posed.problem, starts, kept)
    said = outcome(posed.law, posed.problem.working.to_natural(found.u), posed.rows, target_flops)
    ends = np.append(loss[order], np.nan)
    said = said.assign(
        k=counts,
        n=len(loss) - counts,
        tied=(counts > 0) & (ends[counts - 1] == ends[counts]),
        value=[
            posed.objective.reported(float(total), float(weight), posed.scale)
            for total, weight in zip(found.total, kept.sum(axis=1), strict=True)
        ],
    )
    return said[["k", "n", "tied", *parameter_columns(posed.law), "value", *AT_BUDGET]]


def influence(
    law: Law,
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    target_flops: float = GOPHER_FLOPS,
    quantity: str = "",
    *,
    weights: str = "",
    constraints: tuple[Constraint, ...] = (),
) -> pd.DataFrame:
    """How far the fit moves without each run in turn; checkpoints of a run are left out together.

    Parameters
    ----------
    quantity : str
        A parameter, or one of ``params``, ``tokens``, ``tokens_per_param`` and ``loss`` at ``target_flops``; by
        default tokens per parameter where the law splits budgets, else the loss.

    Returns
    -------
    pandas.DataFrame
        The most influential run first: ``run``, ``file``, ``line``, ``params``, ``tokens``, ``flops``, ``loss``,
        ``residual`` (relative) of its last row, ``rows`` (how many it has), ``before``, ``after`` and ``change``
        (after/before − 1).

    Raises
    ------
    UserError
        As ``fit`` does, or if there is no such quantity.
    """
    posed = pose(law, table, objective, selection, weights=weights, constraints=constraints)
    solution = minimise_starts(posed.problem, posed.starts, posed.weights)
    return influence_of(posed, distinct_ends(solution)[0], target_flops, quantity)


def influence_of(
    posed: Posed, u: Array, target_flops: float, quantity: str = "", most: int = MAX_LEFT_OUT
) -> pd.DataFrame:
    """``influence`` of a law that is already put to rows, from its optimum ``u`` (p,)."""
    quantity = quantity or main_quantity(posed.law)
    _, groups = np.unique(posed.groups, return_inverse=True)
    tried = _most_influential(posed, u, groups, target_flops, quantity, most)
    kept = (groups != tried[:, None]) * posed.weights
    found = refits(posed.problem, u, kept)
    theta = posed.problem.working.to_natural(np.concatenate([u[None], found.u]))
    values = _quantity(posed, theta, target_flops, quantity)
    last = np.array([np.flatnonzero(groups == g)[-1] for g in tried], dtype=int)
    rows = posed.rows.iloc[last]
    shown = rows[[c for c in ("run", "file", "line", "params", "tokens", "flops", "loss") if c in rows]]
    return shown.assign(
        residual=_relative_residuals(posed, u)[last],
        rows=np.bincount(groups)[tried],
        before=values[0],
        after=values[1:],
        change=values[1:] / values[0] - 1,
    ).sort_values("change", key=np.abs, ascending=False, ignore_index=True)


def _quantity(posed: Posed, theta: Array, flops: float, quantity: str) -> Array:
    said = outcome(posed.law, theta, posed.rows, flops)
    if quantity not in said:
        raise UserError(f"There is no “{quantity}” to follow.", fix=f"Choose one of: {', '.join(said.columns)}.")
    return said[quantity].to_numpy(dtype=float)


def _relative_residuals(posed: Posed, u: Array) -> Array:
    predicted = posed.problem.working.at(u[None]).value[0] * posed.scale
    return np.asarray(posed.rows["loss"].to_numpy(dtype=float) / predicted - 1)


def _most_influential(posed: Posed, u: Array, groups: Indices, flops: float, quantity: str, most: int) -> Indices:
    """Groups by how far one Newton step without them moves the quantity (Cook & Weisberg 1982, section 3.4)."""
    count = int(groups.max()) + 1
    if count <= most:
        return np.arange(count)
    problem = posed.problem
    r = problem.residuals(u[None])
    here = problem.working.at(u[None])
    jac = here.gradient()[0] / (here.value[0] if problem.objective.space == "log" else 1.0)
    metric = (jac * (posed.weights * problem.objective.secant(r[0]))) @ jac.T
    steps = np.linalg.pinv(metric, rcond=1e-12, hermitian=True) @ (
        jac * (posed.weights * problem.objective.slope(r)[0])
    )
    moved = np.zeros((count, len(u)))
    np.add.at(moved, groups, steps.T)
    moved = np.clip(np.vstack([u, u + moved]), problem.working.lower, problem.working.upper)
    with np.errstate(all="ignore"):  # a step may leave where the law can be evaluated
        values = _quantity(posed, problem.working.to_natural(moved), flops, quantity)
    size = np.nan_to_num(np.abs(values[1:] - values[0]), nan=np.inf)
    return np.sort(np.argsort(-size, kind="stable")[:most])
