"""Where the records of a delimited text begin and end, counted in whole arrays rather than line by line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
_NEWLINE, _RETURN, _QUOTE, _SPACE = b'\n\r" '


@dataclass(frozen=True)
class Records:
    """The records of a text: blank lines left out, line breaks inside quotes kept inside.

    Attributes
    ----------
    start, end : ndarray of int64, shape (n,)
        Byte offsets; ``end`` excludes the line end.
    line : ndarray of int64, shape (n,)
        The physical line, from 1, on which each record begins.
    """

    data: bytes
    start: Offsets
    end: Offsets
    line: Offsets

    def text(self, index: int) -> str:
        """Return one record as it stands in the file."""
        return self.data[self.start[index] : self.end[index]].decode(errors="replace")

    def fields(self, delimiter: str) -> Offsets:
        """Count the fields of each record."""
        marks = _outside_quotes(self.data, np.flatnonzero(_bytes(self.data) == ord(delimiter)))
        return np.searchsorted(marks, self.end) - np.searchsorted(marks, self.start) + 1

    def equal_to_first(self) -> NDArray[np.bool_]:
        """Mark the later records that repeat the first one: headers in the middle of a file."""
        first = self.data[self.start[0] : self.end[0]]
        same: NDArray[np.bool_] = np.asarray((self.end - self.start) == len(first))
        for i in np.flatnonzero(same):
            same[i] = i > 0 and self.data.startswith(first, self.start[i])
        return same

    def without(self, drop: NDArray[np.bool_]) -> bytes:
        """Return the text without the marked records."""
        if not drop.any():
            return self.data[int(self.start[0]) :]
        edges = np.flatnonzero(np.diff(np.concatenate(([True], drop, [True])).astype(np.int8)))
        spans = zip(edges[::2], edges[1::2] - 1, strict=True)
        return b"\n".join(self.data[self.start[a] : self.end[b]] for a, b in spans)


def find_records(data: bytes) -> Records:
    """Find the records of a text in which ``"`` quotes and ``\\n`` or ``\\r\\n`` ends a line."""
    data = data or b"\n"
    raw = _bytes(data)
    breaks = np.flatnonzero(raw == _NEWLINE)
    ends = np.append(_outside_quotes(data, breaks), len(data))
    starts = np.append(0, ends[:-1] + 1)
    lines = np.searchsorted(breaks, starts) + 1
    ends = np.where((ends > starts) & (raw[np.maximum(ends - 1, 0)] == _RETURN), ends - 1, ends)
    filled = _has_content(data, starts, ends)
    return Records(data, starts[filled], ends[filled], lines[filled])


def _has_content(data: bytes, starts: Offsets, ends: Offsets) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = ends > starts
    # Only a line that begins with white space can be one of white space alone; those few are looked at one by one.
    begins = _bytes(data)[np.minimum(starts, len(data) - 1)]
    for i in np.flatnonzero(filled & (begins <= _SPACE)):
        filled[i] = bool(data[starts[i] : ends[i]].strip(b" \r"))
    return filled


def _outside_quotes(data: bytes, positions: Offsets) -> Offsets:
    if b'"' not in data:
        return positions
    quotes = np.flatnonzero(_bytes(data) == _QUOTE)
    return np.asarray(positions[np.searchsorted(quotes, positions) % 2 == 0])


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)
