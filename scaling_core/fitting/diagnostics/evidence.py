"""What a diagnostic looks at: the runs, the fit, and what several of them need, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.backtest import HeldOut, hold_out
from scaling_core.fitting.fit import Posed, pose
from scaling_core.fitting.isoflop import IsoflopProfiles, profiles_of
from scaling_core.fitting.objective import Objective, get_objective
from scaling_core.fitting.outcome import main_quantity, outcome
from scaling_core.fitting.result import DEFAULT_LEVEL, FitResult, quantile_interval
from scaling_core.fitting.selection import FITTED, Selection
from scaling_core.laws import Array
from scaling_core.runs.schema import RunTable
from scaling_core.units import format_flops, format_number

#: With more fitted rows than this, diagnostics that refit are left out.
MOST_ROWS = 5_000
#: Nobody trains more runs than this as profiles: so many rows are checkpoints.
_MOST_IN_PROFILES = 2_000
#: An answer that moves by this factor is another plan; an interval this wide leaves the plan open.
ANOTHER_PLAN, OPEN = 1.5, 10.0
#: Relative residuals below this are rounding.
_ROUNDING = 1e-7
#: A loss that differs by 4% counts like a split that differs by 1.5 times.
_LOSS_POWER = 10.0
#: Where nobody asks for a budget, answers are compared this far beyond the largest run.
_BEYOND = 10.0


@dataclass(frozen=True)
class Evidence:
    """Runs, a fit of them, and the budget that a person asks about, if any.

    Attributes
    ----------
    table : RunTable
        The runs that were given, fitted or not.
    fit : FitResult
    asked : float or None
        FLOPs.
    """

    table: RunTable
    fit: FitResult
    asked: float | None = None

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The fitted rows with ``predicted`` and ``residual`` (L/L_pred − 1), indexed from 0; empty if not known."""
        points = self.fit.points
        return points[points["role"] == FITTED].reset_index(drop=True) if len(points) else points

    @cached_property
    def residuals(self) -> Array:
        """Relative residuals of the fitted rows, (n,)."""
        return self.rows["residual"].to_numpy(dtype=float)

    @cached_property
    def posed(self) -> Posed:
        """The law put to the fitted rows again, as the fit did."""
        return self.pose(self.rows)

    def pose(self, rows: pd.DataFrame) -> Posed:
        """The law put to rows of ``fit.points``, with all that the fit was asked for.

        Raises
        ------
        UserError
            If they cannot support the law.
        """
        fit = self.fit
        frame = rows.drop(columns=["role", "predicted", "residual"]).reset_index(drop=True)
        checkpoints: Literal["final", "all"] = "final" if rows["is_final"].all() else "all"
        return pose(fit.law, replace(self.table, frame=frame, metric=fit.metric), self.objective,
                    Selection(checkpoints, tuned=True), weights=fit.weights, constraints=fit.constraints)  # fmt: skip

    @property
    def objective(self) -> Objective:
        """What the fit minimised."""
        objective = get_objective(self.fit.objective)
        return objective.with_delta(self.fit.delta) if self.fit.delta and objective.has_delta else objective

    @cached_property
    def u(self) -> Array:
        """The optimum in working coordinates, (p,)."""
        working = self.posed.problem.working
        return np.clip(working.from_natural(self.fit.theta), working.lower, working.upper)

    @property
    def budget(self) -> float:
        """The budget at which answers are compared; NaN where no run says its compute."""
        return self.asked or _BEYOND * self.fit.ranges.get("flops", (np.nan, np.nan))[1]

    @property
    def quantity(self) -> str:
        """What is compared: a column of ``outcome``."""
        return main_quantity(self.fit.law)

    def said(self, theta: Array) -> Array:
        """The quantity at the budget for parameters (B, p), shape (B,)."""
        return outcome(self.fit.law, theta, self.rows, self.budget)[self.quantity].to_numpy(dtype=float)

    @cached_property
    def answer(self) -> float:
        """The quantity at the budget, by the fit."""
        return float(self.said(self.fit.theta[None])[0])

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The 90% interval of the quantity; None without draws or where some say nothing."""
        if len(self.fit.draws) < 2:
            return None
        low, high = quantile_interval(self.said(self.fit.draws), DEFAULT_LEVEL)
        return (float(low), float(high)) if np.isfinite([low, high]).all() else None

    def written(self, value: float) -> str:
        """A value of the quantity as a person reads it."""
        if self.quantity == "tokens_per_param":
            return f"{self.digits(value)} tokens per parameter"
        return f"a {self.fit.metric.cost_title} of {self.digits(value)}"

    def digits(self, value: float) -> str:
        """The same without its unit."""
        return format_number(value, 3 if self.quantity == "tokens_per_param" else 4)

    @property
    def where(self) -> str:
        """The budget as words behind an answer."""
        if not np.isfinite(self.budget):
            return "at the largest run"
        at = f"at {format_flops(self.budget)} FLOPs"
        return at if self.asked else f"{at}, {_BEYOND:g}× the largest run"

    def instead(self, value: float) -> str:
        """Another answer beside the fit's own, and where."""
        return f"{self.written(value)} rather than {self.digits(self.answer)} ({self.where})"

    def factor(self, value: float) -> float:
        """How many times another answer is this one, or this one the other; see ``factor_between``."""
        return self.factor_between(self.answer, value)

    def factor_between(self, a: float, b: float) -> float:
        """How many times one answer is the other: at least 1.

        A loss moves far less than a split for the same change of the law, and counts by a power of its ratio.
        """
        if not (a > 0 and b > 0):
            return float("inf")
        size = abs(float(np.log(b / a)))
        return float(np.exp(size if self.quantity == "tokens_per_param" else size * _LOSS_POWER))

    @property
    def is_open(self) -> bool:
        """Whether the interval is too wide to plan with: then nothing inside it is news."""
        return self.interval is not None and self.factor_between(*self.interval) > OPEN

    def is_another_plan(self, value: float) -> bool:
        """Whether another answer would make for another plan, beyond what an open interval says anyway."""
        inside = self.interval is not None and self.interval[0] <= value <= self.interval[1]
        return self.factor(value) >= ANOTHER_PLAN and not (self.is_open and inside)

    @property
    def is_exact(self) -> bool:
        """Whether the law passes through the runs but for rounding: then residuals say nothing."""
        return bool(np.median(np.abs(self.residuals)) < _ROUNDING)

    @cached_property
    def profiles(self) -> IsoflopProfiles | None:
        """The runs as isoFLOP profiles; None where no budget has several sizes, or rows are too many for any."""
        if len(self.rows) > _MOST_IN_PROFILES:
            return None
        known = self.rows[["params", "tokens", "flops"]].notna().all(axis=1)
        try:
            return profiles_of(self.rows[known])
        except UserError:
            return None

    @cached_property
    def ahead(self) -> HeldOut | None:
        """The law fitted without the largest runs and judged on those; None where they cannot be spared."""
        try:
            return hold_out(self.posed)
        except UserError:
            return None

    @property
    def can_refit(self) -> bool:
        """Whether dozens of refits take no time that a person would notice."""
        return 0 < len(self.rows) <= MOST_ROWS and np.isfinite(self.answer)


def listed(parts: list[str], joint: str = "and") -> str:
    """``a, b and c``."""
    return ", ".join(parts[:-1]) + (f" {joint} " if len(parts) > 1 else "") + "".join(parts[-1:])
