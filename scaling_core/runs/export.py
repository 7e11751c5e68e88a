"""Tables out again, as CSV that a spreadsheet cannot be tricked into running."""

from __future__ import annotations

import pandas as pd

#: Text that a spreadsheet would take for a formula. Apostrophes in front count as text too, so that taking one
#: away again, as reading an exported table does, gives back exactly what was there.
_FORMULA = r"^(?='*\s*[=+\-@\t\r])"


def safe_csv(frame: pd.DataFrame) -> str:
    """Write a frame as CSV at full precision.

    Text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a return, white space aside, gets an apostrophe in
    front, in cells and in column names. Numbers are written so that reading them gives the same number.
    """
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    guarded = pd.DataFrame({i: c if _is_plain(c) else _guarded(c) for i, c in enumerate(columns)}, index=frame.index)
    guarded.columns = pd.Index(_guarded(pd.Series([str(c) for c in frame.columns], dtype=object)))
    # With the line ends of RFC 4180, a lone return inside a cell is quoted as well.
    return guarded.to_csv(index=False, lineterminator="\r\n")


def _is_plain(column: pd.Series) -> bool:
    types = pd.api.types
    return types.is_numeric_dtype(column) or types.is_datetime64_any_dtype(column)


def without_guard(text: pd.Series) -> pd.Series:
    """Take away the apostrophes that ``safe_csv`` put in front."""
    return text.str.replace("^'(?='*\\s*[=+\\-@\\t\\r])", "", regex=True)


def _guarded(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.StringDtype):
        return column.str.replace(_FORMULA, "'", regex=True)
    is_text = column.map(lambda cell: isinstance(cell, str)).astype(bool)
    text = column.where(is_text, "").astype("str").str.replace(_FORMULA, "'", regex=True)
    return column.astype(object).where(~is_text, text)
