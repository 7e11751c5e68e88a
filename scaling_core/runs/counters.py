"""Counts that grow along a run, tokens and FLOPs, at the rows of a log that say nothing of them.

Trackers log training every so many steps and validation at others, so that the row of a validation loss often lacks
the tokens seen, while the rows around it have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.schema import Note

Floats = NDArray[np.float64]


def filled_counts(
    rows: pd.DataFrame, steps: Floats, lengths: NDArray[np.int64], names: Sequence[str], file: str
) -> tuple[dict[str, pd.Series], tuple[Note, ...]]:
    """Fill counts in proportion to the step between the rows that have them, and up to one interval beyond.

    A count of zero, as before the first step, becomes blank: there is nothing that was trained on.

    Parameters
    ----------
    rows : DataFrame, shape (n, k)
        Of one run after another.
    steps : ndarray of float, shape (n,)
        Rising within a run.
    lengths : ndarray of int64, shape (m,)
        How many rows each run has.
    names : sequence of str
        The columns of counts.
    file : str
        For the notes.
    """
    columns: dict[str, pd.Series] = {}
    notes: list[Note] = []
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    for name in names:
        logged = rows[name].to_numpy(dtype=np.float64)
        counts = np.concatenate([_filled(steps[a:b], logged[a:b]) for a, b in pairwise(bounds)])
        counts[counts == 0] = np.nan
        columns[name] = pd.Series(counts)
        if among := int(np.sum(np.isnan(logged) & ~np.isnan(counts))):
            text = f"“{name}” was not logged at {among:,} rows: taken in proportion to the step from those around them."
            notes.append(Note("info", text, file))
    return columns, tuple(notes)


def _filled(steps: Floats, counts: Floats) -> Floats:
    """Fill one run's counts; those that fall, or are fewer than two, stay as they are."""
    known = np.isfinite(counts)
    at, seen = steps[known], counts[known]
    if known.all() or len(at) < 2 or (np.diff(seen) < 0).any() or (np.diff(at) <= 0).any():
        return counts.copy()
    found = np.interp(steps, at, seen)
    first, last = at[0] - (at[1] - at[0]), at[-1] + (at[-1] - at[-2])
    before, after = steps < at[0], steps > at[-1]
    found[before] = seen[0] + (steps[before] - at[0]) * (seen[1] - seen[0]) / (at[1] - at[0])
    found[after] = seen[-1] + (steps[after] - at[-1]) * (seen[-1] - seen[-2]) / (at[-1] - at[-2])
    found[(steps < first) | (steps > last) | (found <= 0)] = np.nan
    return np.where(np.isnan(counts), found, counts)
