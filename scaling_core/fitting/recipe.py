"""How the runs spent their compute: straight lines of ln N, ln D and ln D/N against ln C.

A law in one predictor says what loss to expect, not how to split a budget. The best that can be said is how the
runs themselves split theirs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.laws import Array


@dataclass(frozen=True)
class Line:
    """Ordinary least squares of ln y on ln C over n runs. It says what was done, so it has no interval."""

    slope: float
    intercept: float
    n: int

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Line:
        """Rebuild from its fields as JSON types.

        Raises
        ------
        KeyError, TypeError, ValueError, OverflowError
            If one is missing, of another kind, or not possible.
        """
        line = cls(float(data["slope"]), float(data["intercept"]), int(data["n"]))
        if not (np.isfinite([line.slope, line.intercept]).all() and line.n >= 3):
            raise ValueError("a line of the runs has impossible numbers")
        return line

    def value(self, flops: Array) -> Array:
        """The line at budgets of shape (m,)."""
        return np.asarray(np.exp(self.intercept + self.slope * np.log(flops)))


def fit_line(flops: Array, y: Array) -> Line | None:
    """Fit ln y on ln C; None with fewer than three distinct budgets."""
    x, z = np.log(flops), np.log(y)
    if len(np.unique(x)) < 3:
        return None
    centred = x - x.mean()
    slope = float(np.sum(centred * (z - z.mean())) / np.sum(centred**2))
    return Line(slope, float(z.mean() - slope * x.mean()), len(x))


def fit_lines(runs: pd.DataFrame) -> dict[str, Any]:
    """Lines for ``params``, ``tokens`` and ``tokens_per_param`` of runs that have N, D and C, as JSON types."""
    n, d, c = (runs[name].to_numpy(dtype=float) for name in ("params", "tokens", "flops"))
    known = np.logical_and.reduce([np.isfinite(v) & (v > 0) for v in (n, d, c)])
    columns = {"params": n[known], "tokens": d[known], "tokens_per_param": d[known] / n[known]}
    lines = {name: fit_line(c[known], y) for name, y in columns.items()}
    return {name: asdict(line) for name, line in lines.items() if line}
