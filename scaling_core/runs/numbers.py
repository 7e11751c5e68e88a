"""Cells to numbers: ``70M``, ``1,000``, ``3e21 FLOPs`` and blanks, a column at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.units import parse_quantity

_BLANKS = frozenset({"", "-", "--", "—", "?", "na", "n/a", "#n/a", "nan", "none", "null", "<na>"})
_WORDS = {"thousand": "k", "million": "M", "mio": "M", "billion": "B", "trillion": "T"}
_SPELLED = re.compile(rf"\s*\b({'|'.join(_WORDS)})s?\b", re.IGNORECASE)
_DOTTED_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_HUGE = 1e308


@dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        NaN where blank or text.
    is_text : ndarray of bool, shape (n,)
        Where a cell holds something that is no number.
    """

    values: NDArray[np.float64]
    is_text: NDArray[np.bool_]

    @property
    def any_filled(self) -> bool:
        """Whether any cell holds anything."""
        return bool(self.is_text.any() or not np.isnan(self.values).all())

    @property
    def text_share(self) -> float:
        """The share of text among the filled cells; 0 if none is filled."""
        filled = np.count_nonzero(self.is_text | ~np.isnan(self.values))
        return np.count_nonzero(self.is_text) / filled if filled else 0.0


def to_numbers(column: pd.Series, decimal: str = ".") -> Numbers:
    """Read a column as numbers.

    A numeric column is taken as it is; a column of truth values is all text.
    """
    if pd.api.types.is_bool_dtype(column):
        return Numbers(np.full(len(column), np.nan), np.ones(len(column), dtype=bool))
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Numbers(values, np.zeros(len(column), dtype=bool))
    if decimal == "." and isinstance(column.dtype, pd.StringDtype):
        return _mostly_plain(column)
    return _cell_by_cell(column, decimal)


def _mostly_plain(column: pd.Series) -> Numbers:
    """Let pandas read the plain numbers of a text column, and look only at the cells that remain."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    is_text = np.zeros(len(column), dtype=bool)
    rest = np.isnan(values)
    remaining = _cell_by_cell(column[rest], ".")
    values[rest], is_text[rest] = remaining.values, remaining.is_text
    return Numbers(values, is_text)


def _cell_by_cell(column: pd.Series, decimal: str) -> Numbers:
    """Read each distinct cell once."""
    distinct = column if pd.api.types.is_string_dtype(column) else column.map(_hashable)
    codes, cells = pd.factorize(distinct, use_na_sentinel=True)
    read = [_cell(cell, decimal) for cell in cells]
    # The last entry is what a missing cell's code, -1, points at.
    values = np.array([np.nan if value is None else value for value in read] + [np.nan])
    is_text = np.array([value is None for value in read] + [False])
    return Numbers(values[codes], is_text[codes])


def _hashable(cell: object) -> object:
    # A bool must not meet the number it equals, nor 1 the text "1"; numbers may.
    return cell if isinstance(cell, (int, float)) and not isinstance(cell, bool) else _text(cell)


def _text(cell: object) -> object:
    return None if cell is None or cell is pd.NA or cell is pd.NaT else str(cell)


def _cell(cell: object, decimal: str) -> float | None:
    """Read one cell: NaN if blank, None if text."""
    if isinstance(cell, (int, float)):
        return float(cell) if abs(cell) <= _HUGE or cell != cell else float("inf") * (1 if cell > 0 else -1)
    text = str(cell).strip()
    if text.lower() in _BLANKS:
        return float("nan")
    if decimal == ",":
        text = _with_point(text)
    try:
        return float(text) if "_" not in text else parse_quantity(text)
    except ValueError:
        return _quantity(text)
    except UserError:
        return None


def _quantity(text: str) -> float | None:
    try:
        return parse_quantity(_SPELLED.sub(lambda m: _WORDS[m[1].lower()], text))
    except (UserError, ValueError, OverflowError):
        return None


def _with_point(text: str) -> str:
    if _DOTTED_THOUSANDS.fullmatch(text):
        text = text.replace(".", "")
    return text.replace(",", ".")
