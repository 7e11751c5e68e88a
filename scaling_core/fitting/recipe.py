"""How the runs spent their compute: straight lines of ln N, ln D and ln D/N against ln C.

A law in one predictor says what loss to expect, not how to split a budget. The best that can be said is how the
runs themselves split theirs, and how tightly they kept to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.laws import Array


@dataclass(frozen=True)
class Line:
    """Ordinary least squares of ln y on ln C: what is needed for a value and its prediction interval."""

    slope: float
    intercept: float
    centre: float
    spread: float
    scatter: float
    n: int

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Line:
        """Rebuild from its fields as JSON types.

        Raises
        ------
        KeyError, TypeError, ValueError, OverflowError
            If one is missing, of another kind, or not possible.
        """
        numbers = {f.name: float(data[f.name]) for f in fields(cls)}
        line = cls(**{**numbers, "n": int(data["n"])})  # type: ignore[arg-type]
        if not (np.isfinite(list(numbers.values())).all() and line.n >= 3 and line.spread > 0 and line.scatter >= 0):
            raise ValueError("a line of the runs has impossible numbers")
        return line

    def value(self, flops: Array) -> Array:
        """The line at budgets of shape (m,)."""
        return np.asarray(np.exp(self.intercept + self.slope * np.log(flops)))

    def interval(self, flops: Array, level: float) -> tuple[Array, Array]:
        """Prediction interval for one more run, at budgets of shape (m,) (e.g. Weisberg, section 2.8)."""
        from scipy.special import stdtrit  # a quarter of a second to import, and few pages need it

        distance = (np.log(flops) - self.centre) ** 2 / self.spread
        half = stdtrit(self.n - 2, 0.5 + level / 2) * self.scatter * np.sqrt(1 + 1 / self.n + distance)
        return self.value(flops) * np.exp(-half), self.value(flops) * np.exp(half)


def fit_line(flops: Array, y: Array) -> Line | None:
    """Fit ln y on ln C; None with fewer than three distinct budgets."""
    x, z = np.log(flops), np.log(y)
    if len(np.unique(x)) < 3:
        return None
    centre, spread = float(x.mean()), float(np.sum((x - x.mean()) ** 2))
    slope = float(np.sum((x - centre) * (z - z.mean())) / spread)
    intercept = float(z.mean() - slope * centre)
    scatter = float(np.sqrt(np.sum((z - intercept - slope * x) ** 2) / (len(x) - 2)))
    return Line(slope, intercept, centre, spread, scatter, len(x))


def fit_lines(runs: pd.DataFrame) -> dict[str, Any]:
    """Lines for ``params``, ``tokens`` and ``tokens_per_param`` of runs that have N, D and C, as JSON types."""
    known = runs.dropna(subset=["params", "tokens", "flops"])
    columns = {
        "params": known["params"],
        "tokens": known["tokens"],
        "tokens_per_param": known["tokens"] / known["params"],
    }
    flops = known["flops"].to_numpy(dtype=float)
    lines = {name: fit_line(flops, y.to_numpy(dtype=float)) for name, y in columns.items()}
    return {name: asdict(line) for name, line in lines.items() if line}
