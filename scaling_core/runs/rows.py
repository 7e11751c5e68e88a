"""Which rows of a file can be used, and for each of the others why not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.numbers import Numbers
from scaling_core.runs.raw import RawTable

Mask = NDArray[np.bool_]


class Rejections:
    """The first reason found against each row; rows without one are kept."""

    def __init__(self, rows: int) -> None:
        self._reason: NDArray[np.object_] = np.full(rows, "", dtype=object)

    @property
    def kept(self) -> Mask:
        """Which rows have no reason against them, shape (n,)."""
        return np.asarray(self._reason == "", dtype=bool)

    def add(self, mask: Mask, reason: str | Callable[[int], str]) -> None:
        """Reject the marked rows, unless something was already said against them."""
        fresh = np.flatnonzero(mask & self.kept)
        if isinstance(reason, str):
            self._reason[fresh] = reason
        else:
            for i in fresh:
                self._reason[i] = reason(int(i))

    def rows(self, raw: RawTable) -> list[tuple[int, str, str]]:
        """Return line, reason and content of every rejected row."""
        index = np.flatnonzero(~self.kept)
        cells = raw.frame.iloc[index].itertuples(index=False, name=None)
        return [(int(raw.line[i]), str(self._reason[i]), _content(row)) for i, row in zip(index, cells, strict=True)]


def reject_bad_size(rejections: Rejections, numbers: Numbers, cells: pd.Series) -> None:
    """Reject rows whose parameters, tokens or FLOPs are text, zero, negative or infinite; blanks may stay."""
    _reject_text(rejections, numbers, cells)
    wrong = ~np.isnan(numbers.values) & ~(np.isfinite(numbers.values) & (numbers.values > 0))
    rejections.add(wrong, lambda i: f"“{cells.name}” is {numbers.values[i]:g}; it must be above zero and finite.")


def reject_bad_loss(
    rejections: Rejections, numbers: Numbers, nats: NDArray[np.float64], cells: pd.Series, pending: Mask
) -> None:
    """Reject rows without a loss above zero; blank ones that are ``pending`` may stay."""
    _reject_text(rejections, numbers, cells)
    rejections.add(np.isnan(numbers.values) & ~pending, f"The loss (“{cells.name}”) is blank.")
    unusable = ~(np.isfinite(nats) & (nats > 0)) & ~pending
    rejections.add(
        unusable, lambda i: f"The loss (“{cells.name}”) is {numbers.values[i]:g}; it must be above zero and finite."
    )


def reject_repeats(rejections: Rejections, raw: RawTable, filled: Mask) -> None:
    """Reject rows that equal an earlier one in every cell, if they hold any number at all."""
    again = raw.frame.duplicated().to_numpy() & filled
    if not again.any():
        return
    group = raw.frame[raw.frame.duplicated(keep=False)]
    first = group.groupby(list(group.columns), dropna=False, sort=False).ngroup()
    line_of = pd.Series(raw.line[first.index.to_numpy()], index=first.index).groupby(first).transform("first")
    rejections.add(again, lambda i: f"The row repeats line {line_of[i]}.")


def _reject_text(rejections: Rejections, numbers: Numbers, cells: pd.Series) -> None:
    rejections.add(numbers.is_text, lambda i: f"“{str(cells.iloc[i])[:60]}” in column “{cells.name}” is not a number.")


def _content(row: tuple[object, ...]) -> str:
    return ", ".join("" if _missing(cell) else str(cell) for cell in row)


def _missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or cell != cell
