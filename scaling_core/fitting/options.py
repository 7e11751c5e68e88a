"""What a person sets about a fit besides its law, its points and its objective: weights, bounds, fixed parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.laws import Array, Law, Working
from scaling_core.runs.seeds import repeats

#: Weights by compute: each run counts in proportion to a root of its FLOPs, so that large runs lead.
BY_COMPUTE = "flops^0.5"
#: Each size counts once, however many seeds it was trained with.
BY_SETTING = "1/seeds"


@dataclass(frozen=True)
class Constraint:
    """A parameter kept between two values; equal ones fix it."""

    name: str
    low: float
    high: float

    @staticmethod
    def parse(text: str) -> Constraint:
        """Read ``alpha=0.34`` or ``alpha=0.2:0.5`` (an open end may be left empty).

        Raises
        ------
        UserError
            If the text is not of that form.
        """
        name, _, value = text.partition("=")
        low, colon, high = value.partition(":")
        try:
            ends = (float(low or "-inf"), float(high or "inf")) if colon else (float(low), float(low))
        except ValueError:
            ends = (math.nan, math.nan)
        if not name.strip() or not ends[0] <= ends[1]:
            raise UserError(f"“{text}” does not say what a parameter may be.", fix="Write alpha=0.34 or alpha=0.2:0.5.")
        return Constraint(name.strip(), *ends)

    def format(self) -> str:
        """Write it as ``parse`` reads it."""
        return f"{self.name}={self.low:.10g}" if self.is_fixed else f"{self.name}={self.low:.10g}:{self.high:.10g}"

    @property
    def is_fixed(self) -> bool:
        """Whether it leaves one value only."""
        return self.low == self.high


def parse_constraints(text: str) -> tuple[Constraint, ...]:
    """Read constraints joined with ``;``."""
    return tuple(Constraint.parse(part) for part in text.split(";") if part.strip())


def constrain(working: Working, law: Law, constraints: tuple[Constraint, ...]) -> tuple[int, ...]:
    """Narrow the bounds of a working law; return the indices of parameters that are fixed.

    Raises
    ------
    UserError
        If the law has no such parameter, or may not take such values, or one is limited twice, or all are fixed.
    """
    _require_sense(law, constraints)
    fixed = []
    for c in constraints:
        if c.name not in law.parameter_names:
            raise UserError(
                f"{law.title} has no parameter called “{c.name}”.", fix=f"It has: {', '.join(law.parameter_names)}."
            )
        i = law.parameter_names.index(c.name)
        own = law.parameters[i]
        if c.high < own.lower or c.low > own.upper:
            raise UserError(
                f"{c.name} of {law.title} must lie between {own.lower:g} and {own.upper:g}.",
                fix="Choose a value in there.",
            )
        working.lower[i] = max(working.lower[i], working.coordinate(i, max(c.low, own.lower)))
        working.upper[i] = min(working.upper[i], working.coordinate(i, min(c.high, own.upper)))
        if working.lower[i] > working.upper[i]:  # a break must have runs on both sides, say
            raise UserError(
                f"{c.format()} lies where these runs say nothing of {law.title}.",
                fix="Choose a value among the runs, or leave the parameter free.",
            )
        if c.is_fixed:
            fixed.append(i)
    return tuple(fixed)


def _require_sense(law: Law, constraints: tuple[Constraint, ...]) -> None:
    """Refuse two limits on one parameter, of which one would be silently lost, and a law that is all given."""
    names = [c.name for c in constraints]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"{twice} of {law.title} is limited more than once.", fix="Give each parameter one value or one range."
        )
    if {c.name for c in constraints if c.is_fixed} >= set(law.parameter_names):
        raise UserError(
            f"Every parameter of {law.title} is fixed, so nothing is left to fit.", fix="Leave at least one free."
        )


def point_weights(rows: pd.DataFrame, by: str) -> Array:
    """Weight of each row, mean 1: all equal, by a column of the file, by a power of one (``flops^0.5``), or by setting.

    Seeds of one setting are measurements of their own and count each, which is right where their scatter is all the
    noise there is. ``1/seeds`` makes them count as one, for a grid in which few sizes were repeated.

    Raises
    ------
    UserError
        If the column is missing or holds a weight that is not a positive number.
    """
    if not by:
        return np.ones(len(rows))
    if by == BY_SETTING:
        shares = 1.0 / repeats(rows)
        return np.asarray(shares / shares.mean())
    column, _, power = by.partition("^")
    if column not in rows or not pd.api.types.is_numeric_dtype(rows[column]):
        raise UserError(f"The points are weighted by “{column}”, which these runs do not have as a number.",
                        fix="Choose another column, or no weights.")  # fmt: skip
    try:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            weights = rows[column].to_numpy(dtype=float) ** float(power or 1)
    except ValueError as error:
        raise UserError(f"“{power}” is no power to weight by.", fix="Write flops^0.5, say.") from error
    bad = ~(np.isfinite(weights) & (weights > 0))
    if bad.any():
        raise UserError(
            f"{bad.sum()} of the fitted rows have no positive number in “{column}” to weight by.",
            fix="Leave those rows out, or choose another column.",
        )
    return np.asarray(weights / weights.mean())
