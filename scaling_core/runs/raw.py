"""What a reader returns: a file's own columns and rows, before anyone asks what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.runs.schema import Note

#: More columns than this are not a table of runs, and would stall everything after.
MAX_COLUMNS = 2_000
#: How much of a rejected row is kept, in characters.
MAX_CONTENT = 500
REJECTED_COLUMNS = ("file", "line", "reason", "content")


@dataclass(frozen=True)
class RawTable:
    """A file's rows in its own columns.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns named as in the file, each name once; index 0..n-1.
    line : ndarray of int64, shape (n,)
        Where each row begins: the line of a text file (from 1, the header counted), the row of a Parquet file.
    rejected : pandas.DataFrame
        What could not be read: ``file``, ``line``, ``reason``, ``content``.
    format : str
        The reader's name.
    notes : tuple of Note
        What the reader guessed or repaired.
    decimal : str
        The decimal mark, "." or ",".
    is_log : bool
        Whether rows are logged steps of runs: a row without the loss is then part of its run's curve, not an error.
    settings : frozenset of str
        Columns that hold a run's settings, the same in all of its rows.
    reason : str
        Why the file was taken for this format.
    """

    frame: pd.DataFrame
    line: NDArray[np.int64]
    rejected: pd.DataFrame
    format: str
    notes: tuple[Note, ...] = ()
    decimal: str = "."
    is_log: bool = False
    settings: frozenset[str] = frozenset()
    reason: str = ""


def same_text(text: str, rows: int) -> pd.Series:
    """Return a column that holds one text in every row."""
    return pd.Series(pd.array([text], dtype="str").take(np.zeros(rows, dtype=np.intp)))


def rejected_frame(file: str, rows: Iterable[tuple[int, str, str]] = ()) -> pd.DataFrame:
    """Gather rejected rows, each a ``(line, reason, content)``, into a frame ordered by line."""
    kept = sorted((line, reason, _shorten(content)) for line, reason, content in rows)
    lines, reasons, contents = zip(*kept, strict=True) if kept else ((), (), ())
    return pd.DataFrame(
        {
            "file": pd.Series([file] * len(kept), dtype="str"),
            "line": pd.Series(lines, dtype="int64"),
            "reason": pd.Series(reasons, dtype="str"),
            "content": pd.Series(contents, dtype="str"),
        }
    )


def unique_names(names: Sequence[str], file: str) -> tuple[list[str], tuple[Note, ...]]:
    """Make column names unique: a second ``loss`` becomes ``loss (2)``, a nameless one ``column 3``.

    Raises
    ------
    UserError
        If there are more than ``MAX_COLUMNS``.
    """
    check_column_count(len(names), file)
    named = [name.strip() or f"column {i}" for i, name in enumerate(names, start=1)]
    repeated = sorted(name for name, count in Counter(named).items() if count > 1)
    taken = set(named)
    seen: Counter[str] = Counter()
    unique = [_next_free(name, seen, taken) for name in named]
    text = f"Columns of the same name were told apart by a number, as in “{{0}} (2)”: {', '.join(repeated)}."
    return unique, (Note("warning", text.replace("{0}", repeated[0]), file),) if repeated else ()


def check_column_count(count: int, file: str) -> None:
    """Refuse a table with too many columns.

    Raises
    ------
    UserError
        If ``count`` is more than ``MAX_COLUMNS``.
    """
    if count > MAX_COLUMNS:
        raise UserError(
            f"The table has {count:,} columns, more than the limit of {MAX_COLUMNS:,}.",
            where=file,
            fix="Put one run in each row, and keep only the columns you need.",
        )


def _next_free(name: str, seen: Counter[str], taken: set[str]) -> str:
    seen[name] += 1
    if seen[name] == 1:
        return name
    while (candidate := f"{name} ({seen[name]})") in taken:
        seen[name] += 1
    taken.add(candidate)
    return candidate


def _shorten(content: str) -> str:
    return content if len(content) <= MAX_CONTENT else content[: MAX_CONTENT - 1] + "…"
