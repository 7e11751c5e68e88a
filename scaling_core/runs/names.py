"""What each row's run is called, and which row ends it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.schema import Note

Floats = NDArray[np.float64]


def run_names(
    named: pd.Series | None, steps: Floats | None, params: Floats, position: NDArray[np.int64], file: str
) -> tuple[pd.Series, tuple[Note, ...]]:
    """Name the run of each row.

    Parameters
    ----------
    named : Series, shape (n,), or None
        The file's column of names.
    steps, params : ndarray of float64, shape (n,)
        ``steps`` is None if the file has none.
    position : ndarray of int64, shape (n,)
        Each row's place in the file, from 0: rows without a name are called after it.
    file : str
        For the notes.
    """
    if named is not None:
        text = _as_text(named)
        nameless = (text == "").to_numpy()
        return text.where(~nameless, _numbered(position)) if nameless.any() else text, ()
    if steps is None or not len(steps):  # none where every row was rejected
        return _numbered(position), ()
    count = _count_restarts(steps, params)
    if count[-1] == 0:
        return _numbered(count), (Note("info", "No column names the runs; all rows were taken for one run.", file),)
    note = f"No column names the runs; {count[-1] + 1} were told apart by where the step starts again or N changes."
    return _numbered(count), (Note("warning", note, file),)


def final_rows(names: pd.Series, steps: Floats | None) -> NDArray[np.bool_]:
    """Mark the row of the largest step of each run, the last of equals; all rows where there are no steps."""
    final = np.ones(len(names), dtype=bool)
    if steps is None:
        return final
    codes, _ = pd.factorize(names)
    order = np.lexsort((np.arange(len(names)), np.nan_to_num(steps, nan=-np.inf), codes))
    final[order] = np.append(np.diff(codes[order]) != 0, True)
    return final


def _numbered(position: NDArray[np.int64]) -> pd.Series:
    return "run " + pd.Series(position + 1).astype("str")


def _as_text(named: pd.Series) -> pd.Series:
    cells = named.reset_index(drop=True)
    if isinstance(cells.dtype, pd.StringDtype):
        return cells.fillna("") if cells.hasnans else cells
    if pd.api.types.is_float_dtype(cells):
        # A blank among whole numbers makes them floats; the name is still 7, not 7.0.
        whole = cells.notna() & (cells == np.floor(cells)) & (cells.abs() < 2**53)
        text = cells.astype("str").where(~whole, cells.where(whole, 0).astype("int64").astype("str"))
    else:
        text = cells.astype("str")
    return text.where(cells.notna(), "").astype("str")


def _count_restarts(steps: Floats, params: Floats) -> NDArray[np.int64]:
    """Number the runs of rows in order: a new one begins where the step does not grow or N differs."""
    same_size = (params[1:] == params[:-1]) | (np.isnan(params[1:]) & np.isnan(params[:-1]))
    restart = ~(steps[1:] > steps[:-1]) | ~same_size
    return np.concatenate(([0], np.cumsum(restart))).astype(np.int64)
