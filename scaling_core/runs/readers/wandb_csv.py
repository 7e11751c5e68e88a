"""CSV files that W&B's pages export: the lines of a chart, and the table of runs."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.runs.aliases import alias_rank
from scaling_core.runs.logs import MAX_METRICS, STEP, LoggedRun, Logs
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.delimited import DelimitedReader
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import step_counter, tokens_by_step
from scaling_core.runs.upload import Upload

_MIN, _MAX, _BETWEEN = "__MIN", "__MAX", " - "
_OWN = ("_step", "_runtime", "_timestamp")
#: From this share of rows on, values that differ from their minimum or maximum say that several were averaged.
_AVERAGED = 0.01
#: Columns of the table of runs that W&B itself writes, besides settings and results.
_TABLE_MARKS = frozenset(
    {"State", "Runtime", "Created", "ID", "User", "Sweep", "Tags", "Notes", "Hostname", "End Time"}
)
_MARKS_WITHOUT_STATE = 3
_TABLE_NOISE = (
    "Notes",
    "User",
    "Tags",
    "Created",
    "Sweep",
    "Hostname",
    "End Time",
    "Start Time",
    "Description",
    "Commit",
)
_ENDED = "finished"


@dataclass(frozen=True)
class WandbHistoryReader(LogReader):
    """Reads the export of a chart: one column a run and metric, each with its minimum and maximum."""

    name: str = "W&B chart CSV"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a header with columns ``run - metric`` and their siblings, or only those besides ``Step``."""
        names = _header(upload)
        known, bonus = set(names), extension_bonus(upload.name, ".csv")
        found = [n for n in names if _BETWEEN in n and f"{n}{_MIN}" in known and f"{n}{_MAX}" in known]
        if len(names) > 1 and names[0] == "Step" and not found and all(_BETWEEN in n for n in names[1:]):
            return Likeness(0.8 + bonus, "its header has Step, then only columns like “run - metric”")
        if not found:
            return UNLIKE
        return Likeness(0.9 + bonus, f"its column “{found[0][:60]}” has siblings that end in __MIN and __MAX")

    def logs(self, upload: Upload) -> Logs:
        """Take the columns apart into runs and metrics.

        Raises
        ------
        UserError
            If there is no row, or too many columns.
        """
        raw = DelimitedReader().read(upload)
        frame = raw.frame
        axis = str(frame.columns[0])
        columns = [c for c in frame.columns[1:] if not c.endswith((_MIN, _MAX)) and _BETWEEN in c]
        place, step_note = _steps(frame[axis], axis, upload.name)
        by_run: dict[str, dict[str, NDArray[np.float64]]] = {}
        for column in columns:
            run, _, metric = column.rpartition(_BETWEEN)
            if metric not in _OWN:
                by_run.setdefault(run, {})[metric] = to_numbers(frame[column], raw.decimal).values
        runs = tuple(_run(run, axis, place, values, raw, upload.name) for run, values in by_run.items())
        notes = (*raw.notes, *step_note, *_spread_notes(frame, columns, raw.decimal, upload.name))
        rejected = raw.rejected[["line", "reason", "content"]].itertuples(index=False, name=None)
        return Logs(tuple(r for r in runs if len(r.rows)), notes, tuple(rejected))


def _header(upload: Upload) -> tuple[str, ...]:
    """Return the cells of the first line, if the file is text."""
    if not is_text(upload.head) or b"," not in upload.head:
        return ()
    # The header of a chart of many runs can be longer than the head of a file.
    end = upload.data.find(b"\n")
    text = as_utf8(upload.data[: end if end >= 0 else len(upload.head)], upload.name)[0].decode(errors="replace")
    try:
        return tuple(next(csv.reader([text.strip("\r\n")]), []))
    except csv.Error:
        return ()


def _steps(axis: pd.Series, name: str, file: str) -> tuple[NDArray[np.float64], list[Note]]:
    values = to_numbers(axis).values
    if alias_rank("step", name) is not None:
        return values, []
    text = f"The chart's axis is “{name}”, not the step: rows were numbered in its order, and it was kept as a column."
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float), [Note("info", text, file)]


def _run(
    name: str,
    axis: str,
    steps: NDArray[np.float64],
    values: dict[str, NDArray[np.float64]],
    raw: RawTable,
    file: str,
) -> LoggedRun:
    """Keep the rows in which the run logged anything."""
    logged = np.any([~np.isnan(column) for column in values.values()], axis=0) & np.isfinite(steps)
    columns = {STEP: steps[logged], "line": raw.line[logged]}
    if alias_rank("step", axis) is None:
        columns[axis] = to_numbers(raw.frame[axis], raw.decimal).values[logged]
    columns |= {metric: column[logged] for metric, column in list(values.items())[:MAX_METRICS]}
    return LoggedRun(name, pd.DataFrame(columns), {}, "", file)


def _spread_notes(frame: pd.DataFrame, columns: Sequence[str], decimal: str, file: str) -> list[Note]:
    """Say what was dropped, and doubt columns whose values are means of several."""
    pairs = [c for c in columns if f"{c}{_MIN}" in frame and f"{c}{_MAX}" in frame]
    notes = [Note("info", f"{2 * len(pairs):,} columns of minima and maxima (__MIN, __MAX) were left out.", file)]
    notes = notes if pairs else []
    spread = [c for c in pairs if _is_averaged(*(to_numbers(frame[c + s], decimal).values for s in (_MIN, _MAX)))]
    if spread:
        text = (
            f"In {len(spread):,} of {len(pairs):,} columns, as “{spread[0]}”, minimum and maximum differ: the export "
            "holds means over grouped runs or over neighbouring steps, not what was logged. Export ungrouped, or give "
            "the runs' own files, for exact values."
        )
        notes.append(Note("warning", text, file))
    return notes


def _is_averaged(low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    filled = np.isfinite(low) & np.isfinite(high)
    return bool(filled.any() and np.mean(low[filled] < high[filled]) > _AVERAGED)


@dataclass(frozen=True)
class WandbTableReader:
    """Reads the export of the table of runs: one row a run, with its settings and last results."""

    name: str = "W&B runs table"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a header with ``Name`` and others that W&B writes: ``State`` or, where that is hidden, several."""
        marks = [n for n in _header(upload) if n in _TABLE_MARKS]
        if "Name" not in _header(upload) or len(marks) < (2 if "State" in marks else _MARKS_WITHOUT_STATE):
            return UNLIKE
        return Likeness(0.85 + extension_bonus(upload.name, ".csv"), f"its header has Name, {', '.join(marks[:4])}")

    def read(self, upload: Upload) -> RawTable:
        """Read the table; rows without any cell are left out, runs that did not finish are noted.

        Raises
        ------
        UserError
            If no row is left, or there are too many columns.
        """
        raw = _without_blank_rows(DelimitedReader().read(upload), upload.name)
        frame = raw.frame
        if "Name" not in frame.columns:  # damaged, so that its cells are separated otherwise
            return raw
        names = _unique(frame["Name"].astype("str").fillna(""))
        told = frame["State"] if "State" in frame else pd.Series("", index=frame.index)
        states = told.astype("str").fillna("").str.strip().str.lower()
        noise = [c for c in frame.columns if c in _TABLE_NOISE or c in ("Name", "State") or frame[c].isna().all()]
        seconds = {"seconds": to_numbers(frame["Runtime"], raw.decimal).values} if "Runtime" in frame else {}
        rest = {_titled(c): frame[c] for c in frame.columns if c not in noise and c != "Runtime"}
        tokens, token_notes = _tokens(rest, raw.decimal, upload.name)
        state = {"state": states} if "State" in frame else {}
        columns = {"run": names, **state, **seconds, **tokens, **rest}
        left_out = [c for c in noise if c not in ("Name", "State")]
        notes = (*raw.notes, *_table_notes(names, states, left_out, upload.name), *token_notes)
        return replace(raw, frame=pd.DataFrame(columns), format=self.name, notes=notes)


def _tokens(columns: Mapping[str, pd.Series], decimal: str, file: str) -> tuple[dict[str, pd.Series], tuple[Note, ...]]:
    """Compute each run's tokens from its settings and the step that it reached, as for a log."""
    step = step_counter(columns)
    if not step:
        return {}, ()
    numbers = {c: to_numbers(column, decimal) for c, column in columns.items()}
    settings = {c: n.values for c, n in numbers.items() if n.any_filled and not n.is_text.any()}
    configs = [{c: float(v[i]) for c, v in settings.items()} for i in range(len(columns[step]))]
    each = np.ones(len(configs), dtype=np.int64)
    return tokens_by_step(configs, numbers[step].values, each, tuple(columns), file, step)


def _titled(name: str) -> str:
    # W&B puts this before a setting that has the name of a result.
    return name.removesuffix(" (Config)") if name not in ("run", "state", "seconds") else f"{name} (W&B)"


def _without_blank_rows(raw: RawTable, file: str) -> RawTable:
    filled = pd.DataFrame(
        {c: raw.frame[c].notna() & (raw.frame[c].astype("str").str.strip() != "") for c in raw.frame.columns}
    ).any(axis=1)
    if filled.all():
        return raw
    if not filled.any():
        raise UserError("The table of runs has no row that holds anything.", where=file, fix="Export it again.")
    note = Note("info", f"{int((~filled).sum()):,} blank rows were left out.", file)
    mask = filled.to_numpy()
    return replace(raw, frame=raw.frame[mask].reset_index(drop=True), line=raw.line[mask], notes=(*raw.notes, note))


def _unique(names: pd.Series) -> pd.Series:
    """Tell apart runs of one name, which the tracker allows."""
    seen: Counter[str] = Counter()
    taken, unique = set(names), []
    for name in names:
        seen[name] += 1
        free, number = name, seen[name]
        while number > 1 and (free := f"{name} ({number})") in taken:
            number += 1
        taken.add(free)
        unique.append(free)
    return pd.Series(unique, dtype="str")


def _table_notes(names: pd.Series, states: pd.Series, left_out: Sequence[str], file: str) -> list[Note]:
    notes = []
    for state in states.unique():
        if state not in (_ENDED, ""):
            runs = list(names[states == state])
            shown = ", ".join(f"“{name}”" for name in runs[:5]) + (" and others" if len(runs) > 5 else "")
            verb = "is" if len(runs) == 1 else "are"
            text = f"{len(runs):,} run{'s' * (len(runs) > 1)} ({shown}) {verb} marked as {state}."
            notes.append(Note("warning", text, file))
    if left_out:
        shown = ", ".join(left_out[:8]) + (" and others" if len(left_out) > 8 else "")
        notes.append(Note("info", f"Columns left out, empty or about the tracker: {shown}.", file))
    return notes
