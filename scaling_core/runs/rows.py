"""Which rows of a file can be used, and for each of the others why not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.numbers import Numbers
from scaling_core.runs.raw import RawTable

Mask = NDArray[np.bool_]
#: From so many rows on, repeated ones are first looked for by single columns.
_MANY_ROWS = 10_000
_FEW = 0.5


class Rejections:
    """The first reason found against each row; rows without one are kept."""

    def __init__(self, rows: int) -> None:
        self._kept: Mask = np.ones(rows, dtype=bool)
        self._reasons: dict[int, str] = {}

    @property
    def kept(self) -> Mask:
        """Which rows have no reason against them, shape (n,)."""
        return self._kept.copy()

    def add(self, mask: Mask, reason: str | Callable[[int], str]) -> None:
        """Reject the marked rows, unless something was already said against them."""
        fresh = np.flatnonzero(mask & self._kept)
        self._kept[fresh] = False
        for i in fresh.tolist():
            self._reasons[i] = reason if isinstance(reason, str) else reason(i)

    def rows(self, raw: RawTable) -> list[tuple[int, str, str]]:
        """Return line, reason and content of every rejected row."""
        index = np.flatnonzero(~self._kept)
        cells = raw.frame.iloc[index].itertuples(index=False, name=None)
        return [(int(raw.line[i]), self._reasons[int(i)], _content(row)) for i, row in zip(index, cells, strict=True)]


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
    suspects = np.flatnonzero(_may_repeat(raw.frame))
    among = raw.frame if len(suspects) == len(filled) else raw.frame.iloc[suspects]
    again = np.zeros(len(filled), dtype=bool)
    again[suspects] = among.duplicated().to_numpy()
    again &= filled
    if not again.any():
        return
    group = among[among.duplicated(keep=False)]
    first = group.groupby(list(group.columns), dropna=False, sort=False).ngroup()
    line_of = pd.Series(raw.line[first.index.to_numpy()], index=first.index).groupby(first).transform("first")
    rejections.add(again, lambda i: f"The row repeats line {line_of[i]}.")


def _may_repeat(frame: pd.DataFrame) -> Mask:
    """Mark rows that share their number with another row in every column of numbers, in a table of many rows.

    Sorting a column is far quicker than comparing whole rows, and in a log hardly any value occurs twice.
    """
    mask = np.ones(len(frame), dtype=bool)
    if len(frame) < _MANY_ROWS:
        return mask
    for name in frame.columns:
        column = frame[name]
        if not mask.any() or not pd.api.types.is_float_dtype(column.dtype):
            continue
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        left = np.sort(values[mask])
        if len(left) > 1 and (left[1:] == left[:-1]).mean() < _FEW:
            twice = np.unique(left[1:][left[1:] == left[:-1]])
            place = np.searchsorted(twice, values)
            hit = (
                twice[np.minimum(place, len(twice) - 1)] == values if len(twice) else np.zeros(len(values), dtype=bool)
            )
            mask &= hit | np.isnan(values)
    return mask


def _reject_text(rejections: Rejections, numbers: Numbers, cells: pd.Series) -> None:
    rejections.add(numbers.is_text, lambda i: f"“{str(cells.iloc[i])[:60]}” in column “{cells.name}” is not a number.")


def _content(row: tuple[object, ...]) -> str:
    return ", ".join("" if _missing(cell) else str(cell) for cell in row)


def _missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or cell != cell
