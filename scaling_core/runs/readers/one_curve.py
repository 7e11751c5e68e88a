"""A table that says how far one training went and nothing of its size: a file a run, as ``tokens_seen,loss``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import numpy as np
import pandas as pd

from scaling_core.runs.aliases import alias_rank, matches_by_words, take_apart
from scaling_core.runs.raw import RawTable, same_text
from scaling_core.runs.schema import Note

_FEWEST = 3  # rows; two points grow by chance
_MOST_COLUMNS = 12
#: What tells rows apart as runs, or already says where they stand.
_OTHERWISE = ("run", "step", "params", "params_non_embedding", "flops", "tokens_per_param")
#: Words for tokens counted on the way. Other names may be of sizes of data sets, of which a sweep has a few, and
#: those grow by factors: they are a curve where there are many, evenly spaced.
_ON_THE_WAY = frozenset({"seen", "consumed", "processed"})
_MANY = 20


def as_one_run(raw: RawTable, file: str) -> RawTable:
    """Return a table of one run's curve with that run's name, the file's, and its tokens as the steps.

    Only where tokens grow from row to row as they do on the way, a loss stands beside them, and no column says N, C,
    a step or a name; any other table is returned as it is.
    """
    names = [str(name) for name in raw.frame.columns]
    if len(raw.frame) < _FEWEST or len(names) > _MOST_COLUMNS or any(map(_says_otherwise, names)):
        return raw
    tokens = [name for name in names if alias_rank("tokens", name) is not None]
    if len(tokens) != 1 or not any(_is("loss", name) for name in names):
        return raw
    column = raw.frame[tokens[0]]
    if not pd.api.types.is_numeric_dtype(column) or not _is_progress(column, tokens[0]):
        return raw
    frame = raw.frame.assign(run=same_text(PurePath(file).stem, len(column)), step=column.to_numpy())
    text = f"No column names runs or gives N, and “{tokens[0]}” grows from row to row: the rows are one run's curve."
    return replace(raw, frame=frame, notes=(*raw.notes, Note("warning", text, file)))


def _is_progress(column: pd.Series, name: str) -> bool:
    steps = np.diff(column.to_numpy(dtype=float, na_value=np.nan))
    if not (steps > 0).all():
        return False
    is_even = len(column) >= _MANY and bool(np.isclose(steps, np.median(steps)).mean() > 0.9)
    return is_even or not _ON_THE_WAY.isdisjoint(take_apart(name).words)


def _says_otherwise(name: str) -> bool:
    return any(_is(canonical, name) for canonical in _OTHERWISE)


def _is(canonical: str, name: str) -> bool:
    return alias_rank(canonical, name) is not None or matches_by_words(canonical, name)
