"""A table without steps that says how far trainings went: ``tokens_seen,loss``, a file a run or with names of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.aliases import alias_rank, is_run_name, matches_by_words, take_apart
from scaling_core.runs.guess import is_export
from scaling_core.runs.numbers import to_numbers
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


#: Words that name a training rather than a model, of which a table may hold several trainings.
_TRAININGS = frozenset({"run", "experiment", "exp", "trial", "uid"})

_TIMES = frozenset({"time", "date", "timestamp", "created", "updated", "at"})


def as_curves(raw: RawTable, file: str) -> RawTable:
    """Return a table of points on the way of runs with their tokens as the steps; any other as it is.

    Without names, only where tokens grow from row to row as they do on the way, a loss stands beside them, and no
    column says N, C or a step. With names, only where they repeat, and tokens grow within each while N stays.
    """
    names = [str(name) for name in raw.frame.columns]
    if raw.is_log or len(raw.frame) < 2 or is_export(names) or any(_is("step", name) for name in names):
        return raw
    if not any(_is("loss", name) for name in names):
        return raw
    called = [name for name in names if is_run_name(name)]
    if not called:
        return _as_one_run(raw, names, file)
    return _as_named_runs(raw, min(called, key=lambda name: alias_rank("run", name) or 0), names, file)


def _as_one_run(raw: RawTable, names: list[str], file: str) -> RawTable:
    if len(raw.frame) < _FEWEST or len(names) > _MOST_COLUMNS or any(map(_says_otherwise, names)):
        return raw
    tokens = [name for name in names if alias_rank("tokens", name) is not None]
    if len(tokens) != 1:
        return raw
    column = raw.frame[tokens[0]]
    if not pd.api.types.is_numeric_dtype(column) or not _is_progress(column, tokens[0]):
        return raw
    frame = raw.frame.assign(run=same_text(PurePath(file).stem, len(column)), step=column.to_numpy())
    text = f"No column names runs or gives N, and “{tokens[0]}” grows from row to row: the rows are one run's curve."
    return replace(raw, frame=frame, notes=(*raw.notes, Note("warning", text, file)))


def _as_named_runs(raw: RawTable, called: str, names: list[str], file: str) -> RawTable:
    sized = [name for name in names if alias_rank("tokens", name) is not None]
    sized = sized or [name for name in names if alias_rank("flops", name) is not None]
    if not sized:
        return raw
    way = to_numbers(raw.frame[sized[0]], raw.decimal).values
    column = raw.frame[called]
    codes, runs = pd.factorize(column.replace("", None) if isinstance(column.dtype, pd.StringDtype) else column)
    repeated = len(codes) > len(runs) and bool((codes >= 0).all())
    if not repeated or not _grow(way, codes) or not _stay_the_same(raw, called, names, codes):
        return raw
    if _TRAININGS.isdisjoint(take_apart(called).words) and not _many_even(way, codes, sized[0]):
        return raw
    text = (
        f"Names in “{called}” repeat and “{sized[0]}” grows within each: the rows are points on the way of "
        f"{len(runs):,} runs, the last of each its end. Is each row a run of its own? Then say that no column is the "
        "step."
    )
    frame = raw.frame.assign(step=way)
    return replace(raw, frame=frame, notes=(*raw.notes, Note("warning", text, file)))


def _grow(way: NDArray[np.float64], codes: NDArray[np.intp]) -> bool:
    """Whether values grow from row to row within each run."""
    order = np.argsort(codes, kind="stable")
    same = np.diff(codes[order]) == 0
    return bool((np.diff(way[order])[same] > 0).all())


def _stay_the_same(raw: RawTable, called: str, names: list[str], codes: NDArray[np.intp]) -> bool:
    """Whether N, the seed and everything said in words are the same in all rows of each run."""
    held = [n for n in names if n != called and (_is_held(n) or not pd.api.types.is_numeric_dtype(raw.frame[n]))]
    held = [n for n in held if not (_is("loss", n) or _is("tokens", n) or _is("flops", n) or _is_when(n))]
    first = np.zeros(codes.max(initial=-1) + 1, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    for name in held:
        cells, _ = pd.factorize(raw.frame[name])
        if (cells != cells[first[codes]]).any():
            return False
    return True


def _is_held(name: str) -> bool:
    return _is("params", name) or _is("params_non_embedding", name) or "seed" in take_apart(name).words


def _is_when(name: str) -> bool:
    return not _TIMES.isdisjoint(take_apart(name).words)


def _many_even(way: NDArray[np.float64], codes: NDArray[np.intp], name: str) -> bool:
    """Whether every run of several rows looks like a curve by itself."""
    order = np.argsort(codes, kind="stable")
    parts = np.split(way[order], np.flatnonzero(np.diff(codes[order])) + 1)
    return all(len(part) >= _FEWEST and _is_progress(pd.Series(part), name) for part in parts if len(part) > 1)


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
