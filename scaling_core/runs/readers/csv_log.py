"""What logs in CSV share: a row a logged step of one run, under whatever names the tool gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pandas as pd

from scaling_core.runs.aliases import is_run_name
from scaling_core.runs.guess import MAX_TEXT_SHARE
from scaling_core.runs.logs import LINE, STEP, LoggedRun, Logs, is_known
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.delimited import DelimitedReader
from scaling_core.runs.readers.dialect import find_dialect, split_rows
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_PEEK = 16 * 2**10


@dataclass(frozen=True)
class Laid:
    """A tool's table laid out as a log: the step of each row, columns to rename ("" leaves one out), and remarks."""

    raw: RawTable
    steps: pd.Series
    rename: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class CsvLogReader(LogReader):
    """Reads what one tool logs as CSV, a row a step of one run.

    Attributes
    ----------
    why : str
        What tells its files, as shown to people.
    score : float
        How surely.
    extensions : tuple of str
    """

    why: ClassVar[str]
    score: ClassVar[float]
    extensions: ClassVar[tuple[str, ...]] = (".csv",)

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a table with these columns is of the tool."""
        raise NotImplementedError

    def lay_out(self, raw: RawTable) -> Laid:
        """Say where each row of the table stands and what its columns are called."""
        raise NotImplementedError

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a table whose columns fit."""
        names = header(upload)
        if not names or not self.fits(names):
            return UNLIKE
        return Likeness(self.score + extension_bonus(upload.name, *self.extensions), self.why)

    def logs(self, upload: Upload) -> Logs:
        """Read the run.

        Raises
        ------
        UserError
            If the file has no header or no row.
        """
        laid = self.lay_out(DelimitedReader().read(upload))
        notes = [Note("info", text, upload.name) for text in laid.remarks]
        return as_logs(laid.raw, laid.steps, laid.rename, upload.name, notes)


def header(upload: Upload) -> tuple[str, ...]:
    """Return the column names that a text file begins with; none if it is no text."""
    return _header(upload.head[:_PEEK])


@lru_cache(maxsize=64)
def _header(head: bytes) -> tuple[str, ...]:
    if not is_text(head):
        return ()
    text = as_utf8(head, "")[0].decode(errors="ignore")
    rows = split_rows(text.split("\n", 1)[0], find_dialect(text).delimiter)
    return tuple(cell.strip() for cell in rows[0]) if rows else ()


def is_one_run(names: Sequence[str]) -> bool:
    """Whether columns can be those of one run's log: a loss, no name of a run, and no size that tells runs apart."""
    has_loss = any(is_known(n, "loss") for n in names)
    return has_loss and not any(is_run_name(n) or is_known(n, "params", "params_non_embedding") for n in names)


def as_logs(raw: RawTable, steps: pd.Series, rename: Mapping[str, str], file: str, notes: Sequence[Note] = ()) -> Logs:
    """Turn a table of one run into its log.

    Parameters
    ----------
    raw : RawTable
    steps : Series, shape (n,)
        The step of each row.
    rename : mapping of str to str
        Names to give to columns; an empty name leaves a column out.
    file : str
    notes : sequence of Note
        To add to the table's own.
    """
    columns: dict[str, object] = {STEP: steps.to_numpy(dtype=float), LINE: raw.line.astype(float)}
    words: list[str] = []
    for column in raw.frame.columns:
        name = rename.get(column, column)
        if not name or name in columns:
            continue
        numbers = to_numbers(raw.frame[column], raw.decimal)
        if numbers.text_share > MAX_TEXT_SHARE:
            words.append(column)
        else:
            columns[name] = numbers.values
    rows = pd.DataFrame(columns)
    rejected = [tuple(row) for row in raw.rejected[["line", "reason", "content"]].itertuples(index=False, name=None)]
    rejected += [
        (int(raw.line[i]), "The row has no step.", ", ".join(map(str, raw.frame.iloc[i].dropna().tolist())))
        for i in np.flatnonzero(~np.isfinite(rows[STEP].to_numpy()))
    ]
    told = [Note("info", f"Columns of text left out: {', '.join(words[:8])}.", file)] if words else []
    run = LoggedRun("", rows[np.isfinite(rows[STEP].to_numpy())].reset_index(drop=True), file=file)
    return Logs((run,), (*raw.notes, *notes, *told), tuple(rejected))
