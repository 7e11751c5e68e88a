"""What a fit says under every objective: where they disagree, the objective decides and not the runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.fitting.fit import Posed, pose
from scaling_core.fitting.objective import OBJECTIVES, Objective, get_objective
from scaling_core.fitting.options import Constraint
from scaling_core.fitting.outcome import GOPHER_FLOPS, outcome
from scaling_core.fitting.refit import distinct_ends, refits
from scaling_core.fitting.selection import Selection
from scaling_core.fitting.solver import minimise_starts
from scaling_core.laws import Array, Law
from scaling_core.runs.schema import RunTable

#: Thresholds of Huber's cost to compare: from near the absolute error to near the squared one.
DELTAS = (1e-4, 1e-3, 1e-2)


def every_objective(deltas: tuple[float, ...] = DELTAS) -> tuple[Objective, ...]:
    """Every objective, those with a threshold once for each of ``deltas``."""
    return tuple(
        version
        for objective in OBJECTIVES.values()
        for version in ([objective.with_delta(d) for d in deltas] if objective.has_delta else [objective])
    )


def sensitivity(
    law: Law,
    table: RunTable,
    selection: Selection | None = None,
    target_flops: float = GOPHER_FLOPS,
    *,
    deltas: tuple[float, ...] = DELTAS,
    weights: str = "",
    constraints: tuple[Constraint, ...] = (),
) -> pd.DataFrame:
    """Fit under every objective.

    Returns
    -------
    pandas.DataFrame
        A row for each: ``objective``, ``delta`` (NaN where there is none), one column a parameter, then at
        ``target_flops`` ``params``, ``tokens``, ``tokens_per_param`` and ``loss``.

    Raises
    ------
    UserError
        As ``fit`` does.
    """
    posed = pose(law, table, get_objective("huber-log"), selection, weights=weights, constraints=constraints)
    first = minimise_starts(posed.problem, posed.starts, posed.weights)
    return sensitivity_of(posed, distinct_ends(first), target_flops, every_objective(deltas))


def sensitivity_of(posed: Posed, starts: Array, target_flops: float, objectives: tuple[Objective, ...]) -> pd.DataFrame:
    """``sensitivity`` of a law that is already put to rows, from starts (S, p) near its optimum."""
    theta = np.concatenate([_refit_under(posed, starts, objective) for objective in objectives])
    said = outcome(posed.law, theta, posed.rows, target_flops)
    said.insert(0, "objective", [o.name for o in objectives])
    said.insert(1, "delta", [o.delta if o.has_delta else np.nan for o in objectives])
    return said


def _refit_under(posed: Posed, starts: Array, objective: Objective) -> Array:
    scaled = posed.rows["loss"].to_numpy(dtype=float) / posed.scale
    target = np.log(scaled) if objective.space == "log" else scaled
    problem = replace(posed.problem, objective=objective, target=target)
    return posed.problem.working.to_natural(refits(problem, starts, posed.weights[None]).u)
