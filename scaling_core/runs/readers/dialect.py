"""Which delimiter and decimal mark a text table uses, judged by its first lines."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.runs.schema import Note

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
_SAMPLE_ROWS = 50
_SAMPLE_BYTES = 64 * 2**10
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_NUMBER = re.compile(r"\s*[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written."""

    delimiter: str
    decimal: str


def find_dialect(sample: str) -> Dialect:
    """Judge the dialect of a table by its first lines."""
    delimiter = max(DELIMITERS, key=lambda d: _consistency(sample, d))
    rows = split_rows(sample, delimiter, _SAMPLE_ROWS)[1:]
    cells = [cell.strip() for row in rows for cell in row]
    return Dialect(delimiter, "," if delimiter != "," and _has_decimal_comma(cells) else ".")


def split_rows(text: str, delimiter: str, most: int | None = None) -> list[list[str]]:
    """Split a short text into rows of cells, at most so many; what is broken beyond splitting ends the list."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                rows.append(row)
                if len(rows) == most:
                    break
    except csv.Error:
        pass
    return rows


def require_header(names: list[str], file: str) -> None:
    """Refuse a table whose first line holds numbers.

    Raises
    ------
    UserError
        If every filled cell of the first line is a number.
    """
    filled = [name for name in names if name.strip()]
    if filled and all(_NUMBER.fullmatch(name) for name in filled):
        raise UserError(
            f"The first line holds numbers ({', '.join(filled[:4])}), not column names.",
            where=f"{file}, line 1",
            fix="Add a first line that names the columns, like params,tokens,loss.",
        )


def without_comments(data: bytes, file: str) -> tuple[bytes, tuple[Note, ...]]:
    """Empty the lines above the header that begin with ``#``, or with Excel's ``sep=``; they still count as lines."""
    lines = data[:_SAMPLE_BYTES].split(b"\n")
    count = next((i for i, line in enumerate(lines) if not line.startswith((b"#", b"sep="))), 0)
    # A header may itself begin with the mark: it has as many cells as the row below it.
    if count and any(_shape(lines[count])) and _shape(lines[count - 1]) == _shape(lines[count]):
        count -= 1
    if not count:
        return data, ()
    rest = data[len(b"\n".join(lines[:count])) :]
    note = Note("info", f"{count} comment line{'s' * (count > 1)} above the header skipped.", file)
    return b"\n" * (count - 1) + rest, (note,)


def _shape(line: bytes) -> list[int]:
    return [line.count(d.encode()) for d in DELIMITERS]


def _consistency(sample: str, delimiter: str) -> tuple[float, int]:
    """Score a delimiter: the share of rows as wide as the header, then the header's width."""
    counts = [len(row) for row in split_rows(sample, delimiter, _SAMPLE_ROWS)]
    if not counts or counts[0] < 2:
        return 0.0, 0
    return Counter(counts)[counts[0]] / len(counts), counts[0]


def _has_decimal_comma(cells: list[str]) -> bool:
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    # 1,000 alone could be a thousand; 2,71 could not.
    return any(not _THOUSANDS.fullmatch(cell) for cell in commas)
