"""Runs of one name in one table, as several seeds of a model: told apart, since a run has one loss at a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.aliases import alias_rank, is_run_name, matches_by_words, take_apart
from scaling_core.runs.guess import is_export
from scaling_core.runs.names import in_order, run_codes
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.schema import Note

Codes = NDArray[np.intp]
Floats = NDArray[np.float64]
_RUN = "run"
#: Words of columns that number the trainings of one setting.
_REPEATS = frozenset({"seed", "trial", "replicate", "repeat", "repetition", "fold", "attempt", "task", "rep"})
#: What grows or falls along a run tells no runs apart.
_ALONG = frozenset({"time", "seconds", "date", "timestamp", "epoch", "lr", "accuracy", "acc", "norm", "speed"})
_MOST_COLUMNS = 300


def told_apart(raw: RawTable, file: str) -> RawTable:
    """Return a table in which every run has a name of its own, in a column ``run``; as it is where they have.

    Equal names are those of several runs where they have more than one loss at a step. A column tells them apart if
    it alone leaves one loss at each, those that number seeds and the like first; else the order of the rows does, where
    the step goes back to the first.
    """
    names = [str(name) for name in raw.frame.columns]
    called = min(filter(is_run_name, names), key=lambda n: alias_rank("run", n) or 0, default="")
    step = min((n for n in names if alias_rank("step", n) is not None), key=_step_rank, default="")
    if raw.is_log or len(raw.frame) < 2 or is_export(names) or not called or not step:
        return raw
    codes, steps = run_codes(raw.frame[called]), to_numbers(raw.frame[step], raw.decimal).values
    if in_order(codes, steps):
        return raw
    measured = _measured(raw, names) & np.isfinite(steps) & (codes >= 0)
    if not _repeat(codes, steps, measured):
        return raw
    measured &= ~raw.frame.duplicated().to_numpy()  # what repeats a row before it is no second loss
    if not _repeat(codes, steps, measured):
        return raw
    most = _most_runs(codes, steps, measured)
    for column in _candidates(raw.frame, names, called, step):
        values, labels = pd.factorize(raw.frame[column])
        both = codes * (len(labels) + 1) + values + 1
        if len(np.unique(both[measured])) <= most and not _repeat(both, steps, measured):
            return _named(raw, called, raw.frame[column].astype("str").map(f" {column}={{}}".format), column, file)
    parts = _restarts(codes, steps)
    if not _repeat(codes * (int(parts.max()) + 1) + parts, steps, measured):
        suffix = pd.Series(np.where(parts > 0, np.char.add(np.char.add(" (", (parts + 1).astype(str)), ")"), ""))
        return _named(raw, called, suffix, "where the step goes back to the first", file)
    text = f"Names in “{called}” have several losses at one step, and nothing tells their rows apart."
    return replace(raw, notes=(*raw.notes, Note("warning", f"{text} The last row of each counts as its end.", file)))


def _named(raw: RawTable, called: str, suffix: pd.Series, by: str, file: str) -> RawTable:
    frame = raw.frame.rename(columns={called: f"{called} (as given)"} if called == _RUN else {})
    runs = raw.frame[called].astype("str").fillna("").reset_index(drop=True) + suffix.reset_index(drop=True).astype(
        "str"
    )
    frame = pd.DataFrame({_RUN: runs, **{str(n): frame[n].reset_index(drop=True) for n in frame.columns}})
    how = by if by.startswith("where") else f"by “{by}”"
    text = f"Names in “{called}” have several losses at one step: {runs.nunique():,} runs were told apart {how}."
    return replace(raw, frame=frame, notes=(*raw.notes, Note("warning", text, file)))


def _measured(raw: RawTable, names: list[str]) -> NDArray[np.bool_]:
    """Mark the rows with the loss that would be fitted."""
    losses = [n for n in names if alias_rank("loss", n) is not None] or [
        n for n in names if matches_by_words("loss", n)
    ]
    if not losses:
        return np.zeros(len(raw.frame), dtype=bool)
    best = min(losses, key=lambda n: alias_rank("loss", n) or 0)
    return np.asarray(np.isfinite(to_numbers(raw.frame[best], raw.decimal).values), dtype=np.bool_)


def _repeat(codes: Codes, steps: Floats, among: NDArray[np.bool_]) -> bool:
    return bool(pd.DataFrame({"code": codes[among], "step": steps[among]}).duplicated().any())


def _most_runs(codes: Codes, steps: Floats, among: NDArray[np.bool_]) -> int:
    """Return how many runs there can be: a name has as many as it has losses at one step, or twice that.

    A column that differs in every row, as a time does, would make more.
    """
    counts = pd.DataFrame({"code": codes[among], "step": steps[among]}).value_counts(sort=False)
    least, rows = int(counts.groupby("code").max().sum()), int(np.count_nonzero(among))
    return least if least == rows else min(2 * least, rows - 1)


def _candidates(frame: pd.DataFrame, names: list[str], called: str, step: str) -> Iterator[str]:
    """Yield columns that may tell runs apart: those of seeds, then words, then numbers, of the fewest values first."""
    free = [n for n in names[:_MOST_COLUMNS] if n not in (called, step) and not _is_along(n)]
    yield from (n for n in free if not _REPEATS.isdisjoint(take_apart(n).words))
    yield from (n for n in free if is_run_name(n) or not pd.api.types.is_numeric_dtype(frame[n]))
    distinct = {n: frame[n].nunique() for n in free if pd.api.types.is_numeric_dtype(frame[n])}
    yield from sorted((n for n, count in distinct.items() if 1 < count < len(frame)), key=distinct.__getitem__)


def _is_along(name: str) -> bool:
    known = any(alias_rank(c, name) is not None or matches_by_words(c, name) for c in ("loss", "tokens", "flops"))
    return known or not _ALONG.isdisjoint(take_apart(name).words)


def _restarts(codes: Codes, steps: Floats) -> Codes:
    """Number the parts of each name: a new one begins where the step goes back to the first, or below."""
    parts = np.zeros(len(codes), dtype=np.intp)
    first: dict[int, float] = {}
    part: dict[int, int] = {}
    for place, (code, step) in enumerate(zip(codes.tolist(), steps.tolist(), strict=True)):
        if code not in first or step <= first[code]:
            first[code], part[code] = step, part.get(code, -1) + 1
        parts[place] = part[code]
    return parts


def _step_rank(name: str) -> int:
    return alias_rank("step", name) or 0
