"""Stray quotes: one that is never closed would swallow every row after it."""

from __future__ import annotations

import csv
import io

import numpy as np

from scaling_core.runs.progress import tick
from scaling_core.runs.readers.records import Records, find_records

#: Each repair reads the text anew; past so many the rest is left to the slow reader.
_MOST_REPAIRS = 20
_REASON = "A quote in this row is never closed."


def mend_quotes(data: bytes, delimiter: str) -> tuple[bytes, list[tuple[int, str, str]]]:
    """Repair rows in which a quote opens that was not meant to.

    A quote is a stray one if the rows it swallows would be whole without it. Its line is rewritten if it can be
    read alone (``5" disk``), else emptied, so that the number of lines stays; those are returned as rejected:
    line, reason, content.
    """
    rejected: list[tuple[int, str, str]] = []
    for turn in range(_MOST_REPAIRS if b'"' in data else 0):
        tick(0.5 * turn / _MOST_REPAIRS)
        records = find_records(data)
        found = _first_stray(records, delimiter)
        if found is None:
            break
        line = records.text(found).split("\n", 1)[0]
        start = int(records.start[found])
        cells = _cells(line, delimiter)
        if len(cells) == _width(records, delimiter):
            mended = _written(cells, delimiter)
        else:
            mended = b""
            rejected.append((int(records.line[found]), _REASON, line))
        data = data[:start] + mended + data[data.index(b"\n", start) :]
    return data, rejected


def _first_stray(records: Records, delimiter: str) -> int | None:
    """Find a record of the wrong width in whose later lines a row of the right width stands."""
    width = _width(records, delimiter)
    for i in np.flatnonzero(records.fields(delimiter) != width):
        _, *swallowed = records.text(int(i)).split("\n")
        if any(len(_cells(line, delimiter)) == width for line in swallowed):
            return int(i)
    return None


def _width(records: Records, delimiter: str) -> int:
    return len(_cells(records.text(0), delimiter)) if len(records.start) else 0


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
    except csv.Error:
        return []


def _written(cells: list[str], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(cells)
    return text.getvalue().encode()
