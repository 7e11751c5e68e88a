"""Fit a law to runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.certificate import Certificate, certify
from scaling_core.fitting.doubts import doubts
from scaling_core.fitting.objective import Objective
from scaling_core.fitting.options import Constraint, constrain, point_weights
from scaling_core.fitting.profile import flat_finding
from scaling_core.fitting.recipe import fit_lines
from scaling_core.fitting.result import FitResult
from scaling_core.fitting.selection import BEST, FINAL, FITTED, HELD_OUT, UNUSABLE, Selection, roles
from scaling_core.fitting.solver import Problem, minimise_starts, sample
from scaling_core.fitting.uncertainty import DEFAULT_METHOD, get_method
from scaling_core.laws import Array, Held, Law, Working
from scaling_core.runs.began import is_tuned
from scaling_core.runs.schema import COLUMNS, RunTable

DEFAULT_RESAMPLES = 1000
#: Decimals of ln N and the like that count: what differs beyond them differs by rounding, as 6ND of one budget may.
_DIGITS = 11


@dataclass(frozen=True)
class Posed:
    """A law put to the chosen rows: what the solver gets, before it has run.

    Attributes
    ----------
    law, table, selection, objective, constraints
        What was asked for.
    role : pandas.Series
        Role of each row of the table.
    rows : pandas.DataFrame
        The fitted rows.
    problem : Problem
    starts : array, shape (S, p)
    weights : array, shape (n,)
    groups : array, shape (n,)
        Rows with one number are drawn together.
    scale : float
        The typical loss.
    held : tuple of Held
        Parameters that the law holds fixed on these rows, since they cannot be told from others.
    """

    law: Law
    table: RunTable
    selection: Selection
    objective: Objective
    constraints: tuple[Constraint, ...]
    role: pd.Series
    rows: pd.DataFrame
    problem: Problem
    starts: Array
    weights: Array
    groups: Array
    scale: float
    held: tuple[Held, ...] = ()


def pose(
    law: Law,
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    *,
    weights: str = "",
    constraints: tuple[Constraint, ...] = (),
) -> Posed:
    """Put a law to the chosen rows of ``table``; ``fit`` says what is raised."""
    selection = selection or Selection()
    law = law.on(table.frame)
    law.check(table.frame)
    role = _roles(law, table, selection)
    rows = table.frame[role.to_numpy() == FITTED]
    held = law.settle(rows, frozenset(c.name for c in constraints))
    _require_enough(law, rows, sum(c.is_fixed for c in constraints) + len(held), table, selection)
    loss = rows["loss"].to_numpy(dtype=float)
    scale = float(np.exp(np.log(loss).mean()))
    x = {name: rows[name].to_numpy(dtype=float) for name in law.predictors}
    working = law.working(x, scale, centred=not constraints)
    fixed = constrain(working, law, (*constraints, *(Constraint(h.name, h.value, h.value) for h in held)))
    target = np.log(loss / scale) if objective.space == "log" else loss / scale
    return Posed(
        law, table, selection, objective, constraints, role, rows,
        problem=Problem(working, objective, target, fixed),
        starts=_starts(working, loss / scale),
        weights=point_weights(rows, weights),
        groups=_groups(rows, selection),
        scale=scale,
        held=held,
    )  # fmt: skip


def fit(
    law: Law,
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    *,
    weights: str = "",
    constraints: tuple[Constraint, ...] = (),
    method: str = DEFAULT_METHOD,
) -> FitResult:
    """Fit ``law`` to the chosen rows of ``table``, with ``resamples`` draws of its parameters.

    Parameters
    ----------
    weights : str
        Column that weights the rows, or a power of one: ``flops^0.5``.
    constraints : tuple of Constraint
        Bounds on parameters, or values to fix them at.
    method : str
        How draws are made: a key of ``METHODS``.

    Raises
    ------
    UserError
        If the runs cannot support the law: no loss, too few, or a predictor that does not vary.
    """
    posed = pose(law, table, objective, selection, weights=weights, constraints=constraints)
    solution = minimise_starts(posed.problem, posed.starts, posed.weights)
    best, certificate = certify(posed.problem, solution, posed.law.parameter_names)
    u, total = solution.u[best], float(solution.total[best])
    theta = _natural(posed, u, total)
    draws, lost = _drawn(posed, u, method, resamples, seed)
    points = _points(posed.law, theta, table, posed.role)
    residuals = points["residual"].to_numpy()[posed.role.to_numpy() == FITTED]
    return FitResult(
        law=posed.law,
        theta=theta,
        draws=draws,
        objective=objective.name,
        delta=objective.delta if 1e-7 < objective.delta < np.inf else None,
        value=objective.reported(total, float(posed.weights.sum()), posed.scale),
        certificate=certificate.with_doubts(doubts(posed.law, posed.rows, residuals)),
        n_points=len(posed.rows),
        points=points,
        ranges=_ranges(posed.rows, posed.law.predictors),
        lines=fit_lines(posed.rows),
        notes=(*_own_notes(posed, u, certificate), *_notes(posed, lost, resamples)),
        seed=seed,
        method=method,
        metric=table.metric,
        weights=weights,
        constraints=constraints,
    )


def _drawn(posed: Posed, u: Array, method: str, resamples: int, seed: int) -> tuple[Array, int]:
    """Draws of the law's parameters, (R, p), and how many were lost."""
    draw = get_method(method).draw
    draws, lost = draw(posed, u, resamples, seed) if resamples else (np.zeros((0, len(u))), 0)
    return posed.problem.working.to_natural(draws), lost


def _own_notes(posed: Posed, u: Array, certificate: Certificate) -> tuple[str, ...]:
    """What must be known of the law, of parameters held, and of parameters that might as well be quite different."""
    return (*posed.law.notes, *(h.reason for h in posed.held), *_flat(posed, u, certificate))


def _natural(posed: Posed, u: Array, total: float) -> Array:
    """Parameters of the law, or UserError where there is no number for one, or no cost of the fit."""
    if not np.isfinite(total):
        raise _no_positive_loss(posed.law)
    with np.errstate(over="ignore", invalid="ignore"):
        theta = posed.problem.working.to_natural(u)
    if not np.isfinite(theta).all():
        names = ", ".join(n for n, v in zip(posed.law.parameter_names, theta, strict=True) if not np.isfinite(v))
        raise UserError(
            f"{posed.law.title} would need a number too large to hold for {names}.",
            fix="Give the predictors in larger units, or choose a simpler law.",
        )
    return theta


def _no_positive_loss(law: Law) -> UserError:
    return UserError(
        f"{law.title} gives no positive loss for some of these runs, however near it comes to the others.",
        fix="Choose another law, or let its parameters take other values.",
    )


def _flat(posed: Posed, u: Array, certificate: Certificate) -> tuple[str, ...]:
    """What to say of parameters that might as well be quite different; where the solver failed, nothing is known."""
    found = flat_finding(posed, u) if certificate.grade != "failed" else None
    return (found.text,) if found else ()


def _starts(working: Working, loss: Array) -> Array:
    """Start points; of very many runs a sample tells as good ones."""
    kept = sample(len(loss))
    with np.errstate(over="ignore"):  # one that overflows is moved to the bound of its parameter
        return working.starts(loss) if kept.all() else working.only(kept).starts(loss[kept])


def _roles(law: Law, table: RunTable, selection: Selection) -> pd.Series:
    if not table.has_loss:
        raise UserError(
            "These runs have no loss, so no law of loss can be fitted to them.",
            fix="Name its column (Columns and units on the Runs page; --map loss=COLUMN in a shell) or take others.",
        )
    return roles(table, selection, law.predictors)


def _tuned_out(table: RunTable, selection: Selection) -> int:
    """How many runs are left out for having begun with the weights of another."""
    frame = table.frame
    return 0 if selection.tuned else int((is_tuned(frame) & frame["is_final"].to_numpy(dtype=bool)).sum())


def _require_enough(law: Law, rows: pd.DataFrame, fixed: int, table: RunTable, selection: Selection) -> None:
    """As ``require_enough``; where rows were left out unasked, the way to have them is said with it."""
    try:
        require_enough(law, rows, fixed)
    except UserError as error:
        if tuned := _tuned_out(table, selection):
            them = "1 run that began" if tuned == 1 else f"{tuned} runs that began"
            raise UserError(
                f"{error.what} Left out: {them} with the weights of another.",
                where=error.where,
                fix="Fit fine-tuned runs too (a switch under “More” on the Law page; --tuned), or choose others.",
            ) from None
        earlier = int((~table.frame["is_final"].to_numpy(dtype=bool)).sum())
        if not earlier or selection.checkpoints != "final":
            raise
        raise UserError(
            f"{error.what} Their {earlier} earlier rows are not fitted: only the end of each run is.",
            where=error.where,
            fix="Add runs, or fit their earlier rows too, whose loss is higher than that of a run of its own length "
            "(“Rows of a run” under “More” on the Law page; --checkpoints all).",
        ) from None


def require_enough(law: Law, rows: pd.DataFrame, fixed: int = 0) -> None:
    """Refuse rows that are too few, or too alike, for the parameters of a law that are not fixed.

    Raises
    ------
    UserError
        With what is missing.
    """
    free = len(law.parameters) - fixed
    need = free + 1
    if len(rows) < need:
        raise UserError(
            f"{law.title} has {free} free parameters and needs at least {need} runs; {len(rows)} are chosen.",
            fix="Choose more runs or a simpler law.",
        )
    logs = {name: np.log(rows[name].to_numpy(dtype=float)).round(_DIGITS) for name in law.predictors}
    distinct = {name: len(np.unique(z)) for name, z in logs.items()}
    for name in law.predictors:
        if distinct[name] < 2:
            column = COLUMNS.get(name)
            said = f"{column.symbol} ({column.title.lower()})" if column else f"“{name}”"
            raise UserError(
                f"All chosen runs have the same {said}, so {law.title} cannot be fitted.",
                fix="Choose a law in another quantity, or add runs that differ.",
            )
    if max(distinct.values(), default=0) < free and len(pd.DataFrame(logs).drop_duplicates()) < free:
        raise UserError(
            f"{law.title} has {free} free parameters, but the chosen runs stand at fewer different places.",
            fix="Choose a simpler law, or add runs that differ.",
        )


def _groups(rows: pd.DataFrame, selection: Selection) -> np.ndarray:
    """Rows that are drawn together: checkpoints of one run, else every row for itself."""
    if selection.is_one_a_run:
        return np.arange(len(rows))
    return rows.groupby(["file", "run"], sort=False).ngroup().to_numpy()


def _points(law: Law, theta: np.ndarray, table: RunTable, role: pd.Series) -> pd.DataFrame:
    known = role.to_numpy() != UNUSABLE
    predicted = np.full(len(role), np.nan)
    predicted[known] = law.predict(theta, {n: table.frame[n].to_numpy(dtype=float)[known] for n in law.predictors})
    possible = np.isfinite(predicted) & (predicted > 0)
    if not possible[role.to_numpy() == FITTED].all():
        raise _no_positive_loss(law)
    residual = table.frame["loss"].to_numpy(dtype=float) / np.where(possible, predicted, np.nan) - 1
    return table.frame.assign(role=role, predicted=predicted, residual=residual)


def _ranges(rows: pd.DataFrame, predictors: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for name in dict.fromkeys(("params", "tokens", "flops", "loss", *predictors)):
        values = rows[name].to_numpy(dtype=float)
        known = values[~np.isnan(values)]
        if len(known):
            ranges[name] = (float(known.min()), float(known.max()))
    return ranges


def _notes(posed: Posed, lost: int, resamples: int) -> tuple[str, ...]:
    """What was left out, and how intervals were made."""
    table, role, selection = posed.table, posed.role, posed.selection
    held_out, unusable = (int(np.sum(role.to_numpy() == name)) for name in (HELD_OUT, UNUSABLE))
    notes = []
    if held_out:
        notes.append(f"{held_out} rows outside the chosen box are held out.")
    if selection.drop_highest_loss:
        notes.append(f"The {selection.drop_highest_loss} highest losses are left out.")
    earlier = int((~table.frame["is_final"]).sum())
    if earlier and selection.checkpoints == "final":
        notes.append(f"{earlier} checkpoints before the end of their runs are left out.")
    if earlier and selection.checkpoints == BEST:
        notes.append("Of each run the row of its lowest loss is fitted.")
    if earlier and selection.warm_up and selection.checkpoints != FINAL:
        notes.append(f"Rows before {selection.warm_up:.0%} of the steps of their runs are left out.")
    if tuned := _tuned_out(table, selection):
        notes.append(f"Left out: {tuned} runs that began with the weights of another.")
    if selection.leave_out:
        notes.append(f"Left out are rows flagged as {', '.join(selection.leave_out)}.")
    if earlier and not selection.is_one_a_run:
        notes.append("Checkpoints of one run are drawn together: they are not independent.")
    if unusable:
        notes.append(f"{unusable} rows lack a value that the law reads.")
    if not resamples:
        notes.append("No draws were asked for, so there are no intervals.")
    if lost:
        notes.append(f"{lost} of {resamples} refits did not converge and are not in the intervals.")
    return tuple(notes)
