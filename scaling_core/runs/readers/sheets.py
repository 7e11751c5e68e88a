"""Several sheets of one workbook: which of them are tables of runs, and how their rows go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.aliases import alias_rank, is_run_name, loss_split_of, loss_unit_of, take_apart
from scaling_core.runs.logs import STEP, is_known
from scaling_core.runs.raw import same_text
from scaling_core.runs.schema import Note

_SIZES = ("params", "params_non_embedding", "tokens", "flops")
_SHEET, _RUN = "sheet", "run"


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows in its own columns, and the number of each row."""

    title: str
    frame: pd.DataFrame
    line: NDArray[np.int64]
    notes: tuple[Note, ...] = ()

    def column(self, canonical: str) -> str | None:
        """Return the column of an exact name for what is meant, the best first; for a loss any that is one."""
        ranked = sorted((r, str(n)) for n in self.frame.columns if (r := alias_rank(canonical, str(n))) is not None)
        if ranked or canonical != "loss":
            return ranked[0][1] if ranked else None
        return next((str(n) for n in self.frame.columns if is_known(str(n), "loss")), None)

    @property
    def is_of_runs(self) -> bool:
        """Whether the rows are runs, or steps of runs."""
        return self.column("loss") is not None and any(self.column(c) is not None for c in (*_SIZES, STEP))


def joined(sheets: Sequence[Sheet], file: str) -> Sheet:
    """Join the sheets that are tables of runs into one; of several that differ in kind, those like the first.

    Parameters
    ----------
    sheets : sequence of Sheet
        At least one.
    file : str
        For the notes.
    """
    first = next((sheet for sheet in sheets if sheet.is_of_runs), sheets[0])
    taken, left_out = [first], []
    for sheet in sheets:
        if sheet is first:
            continue
        reason = _why_apart(first, sheet)
        if reason:
            left_out.append(f"“{sheet.title}” ({reason})")
        else:
            taken.append(_named_like(first, sheet))
    notes = [note for sheet in taken for note in sheet.notes]
    if left_out:
        text = f"Sheets left out: {', '.join(left_out)}. To read one of them, save it as CSV and give that."
        notes.append(Note("warning", text, file))
    if len(taken) == 1:
        return Sheet(first.title, first.frame, first.line, tuple(notes))
    shown = ", ".join(f"“{sheet.title}”" for sheet in taken)
    notes.append(Note("info", f"The rows of {len(taken):,} sheets were put together: {shown}.", file))
    frame = pd.concat(_with_titles(taken), ignore_index=True)
    return Sheet(first.title, frame, np.concatenate([sheet.line for sheet in taken]), tuple(notes))


def _why_apart(first: Sheet, sheet: Sheet) -> str:
    """Return why a sheet's rows do not go with those of the first, or nothing if they do."""
    if not first.is_of_runs or not sheet.is_of_runs:
        return "no table of runs" if first.is_of_runs else "beside the first"
    if (first.column(STEP) is None) != (sheet.column(STEP) is None):
        return f"its rows are {'steps' if sheet.column(STEP) else 'whole runs'}, those of “{first.title}” are not"
    for canonical in (*_SIZES, "loss"):
        ours, theirs = first.column(canonical), sheet.column(canonical)
        if ours and theirs and ours != theirs and _unit(canonical, ours) != _unit(canonical, theirs):
            return f"its “{theirs}” is something else than “{ours}”"
    return ""


def _unit(canonical: str, name: str) -> tuple[object, ...]:
    if canonical == "loss":
        return loss_unit_of(name), loss_split_of(name)
    return (take_apart(name).scale,)


def _named_like(first: Sheet, sheet: Sheet) -> Sheet:
    """Call columns of one meaning as the first sheet does."""
    pairs = {c: (first.column(c), sheet.column(c)) for c in (_RUN, STEP, *_SIZES, "loss")}
    renamed = {theirs: ours for ours, theirs in pairs.values() if ours and theirs and ours not in sheet.frame}
    return Sheet(sheet.title, sheet.frame.rename(columns=renamed), sheet.line, sheet.notes)


def _with_titles(sheets: Sequence[Sheet]) -> list[pd.DataFrame]:
    """Say of each row which sheet it is from; where rows are steps, tell runs of one name in several sheets apart.

    A sheet of steps without names is one run, called after the sheet, as where none has names.
    """
    called = next((str(n) for sheet in sheets for n in sheet.frame.columns if is_run_name(str(n))), None)
    column = _free(_SHEET, sheets)
    frames = [sheet.frame.assign(**{column: same_text(sheet.title, len(sheet.frame))}) for sheet in sheets]
    if sheets[0].column(STEP) is None:
        return frames
    if called is None:
        return [frame.assign(**{_RUN: frame[column]}) for frame in frames]
    counts = Counter(name for frame in frames if called in frame for name in frame[called].dropna().unique())
    return [
        frame.assign(**{called: _apart(frame[called], sheet.title, counts) if called in frame else sheet.title})
        for frame, sheet in zip(frames, sheets, strict=True)
    ]


def _apart(names: pd.Series, title: str, counts: Counter[object]) -> pd.Series:
    if not any(counts[name] > 1 for name in names):
        return names
    return pd.Series([f"{title}/{n}" if counts[n] > 1 else str(n) for n in names], index=names.index, dtype="str")


def _free(name: str, sheets: Sequence[Sheet]) -> str:
    while any(name in sheet.frame for sheet in sheets):
        name = f"{name} (2)"
    return name
