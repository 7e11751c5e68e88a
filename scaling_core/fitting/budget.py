"""Runs of one budget: the groups that a file holds, and one such group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.fitting.levels import SAME_SIZE, budgets, same_level
from scaling_core.fitting.minimum import Parabola, parabola
from scaling_core.fitting.selection import FITTED, Selection, roles
from scaling_core.laws import Array
from scaling_core.runs.schema import RunTable

FEWEST_SIZES = 3
#: A budget with less than this share of the sizes of the richest is a chance meeting of strays.
_STRAY = 1 / 3


def placed_rows(table: RunTable, selection: Selection) -> pd.DataFrame:
    """The chosen rows that have N, D, C and a loss.

    Raises
    ------
    UserError
        If no row has all four.
    """
    rows = table.frame[roles(table, selection, ("params", "tokens", "flops")) == FITTED]
    if rows.empty:
        missing = "loss" if not table.has_loss else "row with parameters, tokens, compute and loss among those chosen"
        raise UserError(
            f"These runs have no {missing}.", fix="Name the columns that hold them, or choose other points."
        )
    return rows


def group_by_budget(rows: pd.DataFrame, tolerance: float) -> list[pd.DataFrame]:
    """Rows by budget, ascending: those budgets that have at least three sizes, and a third of what the richest has.

    Where many lengths were trained, some runs stand at a budget by chance: those are no profile.
    """
    masks = budgets(rows["flops"].to_numpy(dtype=float), tolerance, FEWEST_SIZES) if len(rows) else []
    count = [len(np.unique(sizes_of(rows[mask]))) for mask in masks]
    fewest = max(FEWEST_SIZES, _STRAY * max(count, default=0))
    return [rows[mask] for mask, sizes in zip(masks, count, strict=True) if sizes >= fewest]


def sizes_of(group: pd.DataFrame) -> NDArray[np.intp]:
    """Numbers of the sizes of some rows, (n,)."""
    return same_level(group["params"].to_numpy(dtype=float), SAME_SIZE)


def slope_in_compute(groups: list[pd.DataFrame]) -> float:
    """How loss falls with ln C among runs of one budget, beyond what their size explains: one number for all.

    Budgets are met to some percent only; left as it is, that would look like noise. (Frisch & Waugh 1933: regress what
    a parabola in ln N leaves of the loss on what it leaves of ln C.)
    """
    product, square = 0.0, 0.0
    for group in groups:
        x, c = np.log(group["params"].to_numpy(dtype=float)), np.log(group["flops"].to_numpy(dtype=float))
        loss = group["loss"].to_numpy(dtype=float)
        left = [y - parabola(x, y).value(x) for y in (c, loss)]
        product, square = product + float(left[0] @ left[1]), square + float(left[0] @ left[0])
    return product / square if square > 1e-8 else 0.0


@dataclass(frozen=True)
class Budget:
    """The runs of one budget: ln N and loss at exactly this budget, (n,), ln(ND/C), and a parabola through them."""

    rows: pd.DataFrame
    flops: float
    x: Array
    loss: Array
    log_ratio: Array
    curve: Parabola

    @classmethod
    def of(cls, group: pd.DataFrame, slope: float) -> Budget:
        """The rows of one budget; ``slope`` is that of loss in ln C."""
        x, c, d = (np.log(group[name].to_numpy(dtype=float)) for name in ("params", "flops", "tokens"))
        at = float(c.mean())
        loss = group["loss"].to_numpy(dtype=float) - slope * (c - at)
        return cls(group, float(np.exp(at)), x, loss, x + d - c, parabola(x, loss))

    def draws(self, resamples: int, noise: float, rng: np.random.Generator) -> Array:
        """Losses (R, n) that the runs might as well have had; ``noise`` is the variance over all budgets."""
        signs = rng.choice([-1.0, 1.0], size=(resamples, len(self.x)))
        return np.asarray(self.curve.value(self.x) + signs * np.sqrt((noise + self.curve.residuals**2) / 2))

    def tokens(self, log_n: Array) -> Array:
        """D at ln N: budget over N, times ND/C of the runs, which for counted FLOPs changes with size."""
        t = self.x - self.x.mean()
        slope = float(t @ self.log_ratio / (t @ t))
        return np.asarray(self.flops * np.exp(self.log_ratio.mean() + slope * (log_n - self.x.mean()) - log_n))

    def merged(self) -> tuple[Array, Array]:
        """Ascending ln N of the sizes, (k,), and the averaging (k, n) that takes losses of the runs to one a size."""
        size = sizes_of(self.rows)
        average = (size == np.arange(size.max() + 1)[:, None]).astype(float)
        average /= average.sum(axis=1, keepdims=True)
        return average @ self.x, average
