"""What each row's run is called, and which row ends it."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.raw import same_text
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
        told = Note("info", "No column names the runs; all rows were taken for one run, called after the file.", file)
        return same_text(PurePath(file).stem or file, len(steps)), (told,)
    note = f"No column names the runs; {count[-1] + 1} were told apart by where the step starts again or N changes."
    return _numbered(count), (Note("warning", note, file),)


def run_codes(names: pd.Series) -> NDArray[np.intp]:
    """Number the runs by where their names occur first, shape (n,): equal names, equal number.

    Rows of one run mostly follow each other, and to compare neighbours is far quicker than to look up every name.
    """
    first = np.flatnonzero(_begins(names)) if isinstance(names.dtype, pd.StringDtype) else np.empty(0, dtype=np.intp)
    if 2 * len(first) > len(names) or not len(first):
        return pd.factorize(names)[0]
    return np.repeat(pd.factorize(names.iloc[first])[0], np.diff(np.append(first, len(names))))


def _begins(names: pd.Series) -> NDArray[np.bool_]:
    """Mark the rows whose name differs from that of the row before; the first is one."""
    begins = np.ones(len(names), dtype=bool)
    begins[1:] = np.asarray(names.array[1:] != names.array[:-1], dtype=bool)
    return begins


def in_order(codes: NDArray[np.intp], steps: Floats) -> bool:
    """Whether the rows of each run follow one another with growing steps, as logs write them."""
    begins = np.diff(codes) != 0
    together = np.count_nonzero(begins) + 1 == codes.max(initial=-1) + 1
    return bool(together and ((np.diff(steps) > 0) | begins).all())


def final_rows(codes: NDArray[np.intp], steps: Floats | None) -> NDArray[np.bool_]:
    """Mark the row of the largest step of each run, the last of equals; all rows where there are no steps.

    ``codes`` has the number of each row's run, shape (n,).
    """
    final = np.ones(len(codes), dtype=bool)
    if steps is None:
        return final
    if in_order(codes, steps):
        final[:-1] = np.diff(codes) != 0
        return final
    order = np.lexsort((np.arange(len(codes)), np.nan_to_num(steps, nan=-np.inf), codes))
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
