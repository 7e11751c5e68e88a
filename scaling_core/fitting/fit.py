"""Fit a law to runs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.bootstrap import bootstrap, resample_counts
from scaling_core.fitting.certificate import certify
from scaling_core.fitting.doubts import doubts
from scaling_core.fitting.objective import Objective
from scaling_core.fitting.recipe import fit_lines
from scaling_core.fitting.result import FitResult
from scaling_core.fitting.selection import FITTED, Selection, roles
from scaling_core.fitting.solver import Problem, minimise
from scaling_core.laws import Law
from scaling_core.runs.schema import COLUMNS, RunTable

DEFAULT_RESAMPLES = 1000


def fit(
    law: Law,
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> FitResult:
    """Fit ``law`` to the chosen rows of ``table``, with a pair bootstrap of ``resamples`` refits.

    Raises
    ------
    UserError
        If the runs cannot support the law: no loss, too few, or a predictor that does not vary.
    """
    selection = selection or Selection()
    role = _roles(law, table, selection)
    rows = table.frame[role == FITTED]
    _require_enough(law, rows)
    problem, scale = _problem(law, rows, objective)
    starts = problem.working.starts(rows["loss"].to_numpy(dtype=float) / scale)
    solution = minimise(problem, starts, np.ones(len(rows)))
    best, certificate = certify(problem, solution, law.parameter_names)
    u = solution.u[best]
    groups = _groups(rows, selection)
    counts = resample_counts(groups, resamples, len(law.parameters), seed)
    draws, lost = bootstrap(problem, u, counts) if resamples else (np.zeros((0, len(u))), 0)
    theta = problem.working.to_natural(u)
    points = _points(law, theta, table, role)
    residuals = points.loc[role == FITTED, "residual"].to_numpy(dtype=float)
    return FitResult(
        law=law,
        theta=theta,
        draws=problem.working.to_natural(draws),
        objective=objective.name,
        value=objective.reported(float(solution.total[best]), len(rows), scale),
        certificate=certificate.with_doubts(doubts(law, rows, residuals)),
        n_points=len(rows),
        points=points,
        ranges=_ranges(rows),
        lines=fit_lines(rows),
        notes=_notes(law, table, role, selection, lost, resamples),
        seed=seed,
    )


def _roles(law: Law, table: RunTable, selection: Selection) -> pd.Series:
    if not table.has_loss:
        raise UserError(
            "These runs have no loss, so no law of loss can be fitted to them.",
            fix="Name its column (Columns and units on the Runs page; --map loss=COLUMN in a shell) or take others.",
        )
    return roles(table, selection, law.predictors)


def _require_enough(law: Law, rows: pd.DataFrame) -> None:
    need = len(law.parameters) + 1
    if len(rows) < need:
        raise UserError(
            f"{law.title} has {len(law.parameters)} parameters and needs at least {need} runs; {len(rows)} are chosen.",
            fix="Choose more runs or a simpler law.",
        )
    for name in law.predictors:
        distinct = rows[name].nunique()
        if distinct < 2:
            column = COLUMNS[name]
            raise UserError(
                f"All chosen runs have the same {column.symbol} ({column.title.lower()}), so {law.title} "
                "cannot be fitted.",
                fix="Choose a law in another quantity, or add runs that differ.",
            )
    if rows.groupby(list(law.predictors)).ngroups < len(law.parameters):
        raise UserError(
            f"{law.title} has {len(law.parameters)} parameters, but the chosen runs stand at fewer different places.",
            fix="Choose a simpler law, or add runs that differ.",
        )


def _problem(law: Law, rows: pd.DataFrame, objective: Objective) -> tuple[Problem, float]:
    loss = rows["loss"].to_numpy(dtype=float)
    scale = float(np.exp(np.log(loss).mean()))
    x = {name: rows[name].to_numpy(dtype=float) for name in law.predictors}
    target = np.log(loss / scale) if objective.space == "log" else loss / scale
    return Problem(law.working(x, scale), objective, target), scale


def _groups(rows: pd.DataFrame, selection: Selection) -> np.ndarray:
    """Rows that are drawn together: checkpoints of one run, else every row for itself."""
    if selection.checkpoints == "final":
        return np.arange(len(rows))
    return rows.groupby(["file", "run"], sort=False).ngroup().to_numpy()


def _points(law: Law, theta: np.ndarray, table: RunTable, role: pd.Series) -> pd.DataFrame:
    points = table.frame.assign(role=role, predicted=np.nan, residual=np.nan)
    known = (role != "unusable").to_numpy()
    x = {name: points.loc[known, name].to_numpy(dtype=float) for name in law.predictors}
    predicted = law.predict(theta, x)
    points.loc[known, "predicted"] = predicted
    points.loc[known, "residual"] = points.loc[known, "loss"].to_numpy(dtype=float) / predicted - 1
    return points


def _ranges(rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    values = {name: rows[name].dropna() for name in ("params", "tokens", "flops", "loss")}
    return {name: (float(v.min()), float(v.max())) for name, v in values.items() if len(v)}


def _notes(
    law: Law, table: RunTable, role: pd.Series, selection: Selection, lost: int, resamples: int
) -> tuple[str, ...]:
    counts = role.value_counts()
    notes = []
    if counts.get("held out", 0):
        notes.append(f"{counts['held out']} rows outside the chosen box are held out.")
    if selection.drop_highest_loss:
        notes.append(f"The {selection.drop_highest_loss} highest losses are left out.")
    earlier = int((~table.frame["is_final"]).sum())
    if earlier and selection.checkpoints == "final":
        notes.append(f"{earlier} checkpoints before the end of their runs are left out.")
    if earlier and selection.checkpoints == "all":
        notes.append("Checkpoints of one run are resampled together: they are not independent.")
    if counts.get("unusable", 0):
        notes.append(f"{counts['unusable']} rows lack a value that the law reads.")
    if not resamples:
        notes.append("No bootstrap was asked for, so there are no intervals.")
    if lost:
        notes.append(f"{lost} of {resamples} bootstrap refits did not converge and are not in the intervals.")
    return tuple(notes)
