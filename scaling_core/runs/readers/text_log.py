"""What logs printed as text share: lines with a step and numbers among lines of anything else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.logs import LINE, MAX_METRICS, STEP, LoggedRun, Logs
from scaling_core.runs.progress import tracked
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.readers.wording import Digits, Line, Row, Wording, value_of
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MOST_REJECTED = 1_000


@dataclass
class _Part:
    """One run while it is read."""

    settings: dict[str, Scalar] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class TextLog:
    """The runs printed in a file, in order: their settings and rows; and what could not be read."""

    parts: tuple[tuple[dict[str, Scalar], tuple[Row, ...]], ...]
    notes: tuple[Note, ...]
    rejected: tuple[tuple[int, str, str], ...]


def mentions(upload: Upload, pattern: re.Pattern[str]) -> bool:
    """Whether a text begins or ends with lines that fit; between them may lie much else, such as source code."""
    if not is_text(upload.head):
        return False
    tail = upload.data[-len(upload.head) :]
    return any(pattern.search(plain(part)) for part in (upload.head, tail))


@lru_cache(maxsize=4)
def plain(part: bytes) -> str:
    """Decode a part of a text without colours, each line that was written over on its own."""
    return _COLOURS.sub("", part.decode(errors="replace").replace("\r", "\n"))


def parse(upload: Upload, wording: Wording) -> TextLog:
    """Read a text log. A run begins where the step goes back to the first one; a step in between is a restart.

    Raises
    ------
    UserError
        If no line has a step.
    """
    data, notes = as_utf8(upload.data, upload.name)
    reading = _Reading(wording)
    for place, line in _lines(data.decode(errors="replace")):
        reading.take(place, line)
    kept = tuple((p.settings, tuple(p.rows)) for p in reading.parts if p.rows)
    if not kept:
        raise UserError(
            "No line of this log has a step that can be read.", where=upload.name, fix="Give the whole log of a run."
        )
    text = f"{len(reading.past):,} metrics past the first {MAX_METRICS:,} were left out."
    told = [Note("warning", text, upload.name)] if reading.past else []
    if len(kept) > 1:
        text = f"The step goes back to the first, so the log was taken for that of {len(kept):,} runs."
        told.append(Note("info", text, upload.name))
    return TextLog(kept, (*notes, *told), tuple(reading.rejected))


class _Reading:
    """The runs so far, and what was stated since the last row."""

    def __init__(self, wording: Wording) -> None:
        self.wording = wording
        self.parts = [_Part()]
        self.pending: dict[str, Scalar] = {}
        self.rejected: list[tuple[int, str, str]] = []
        self.past: set[str] = set()
        self.digits = Digits()

    def take(self, place: int, line: Line) -> None:
        """Understand the next line."""
        current = self.parts[-1]
        if (row := self.wording.row(line, self.digits)) is not None:
            self._add(row | {LINE: float(place)})
        elif current.rows and (found := list(self.wording.metrics(line))):
            for name, text, end in found:
                self._measure(current.rows[-1], name, text, line, end)
        elif self.wording.is_damaged(line):
            self._reject(place, "The line of a step is damaged or cut short.", line)
        elif current.rows and (closing := self.wording.closing(line)):
            if line.is_last:
                self._reject(place, "The file ends in this line, so its number may lack digits.", line)
            else:
                current.settings |= closing
        else:
            self.pending |= self.wording.settings(line)

    def _reject(self, place: int, reason: str, line: Line) -> None:
        if len(self.rejected) < _MOST_REJECTED:
            self.rejected.append((place, reason, line.text))

    def _add(self, row: Row) -> None:
        current = self.parts[-1]
        if current.rows and row[STEP] == current.rows[0][STEP] < max(current.rows[-1][STEP], row[STEP]):
            current = _Part({**current.settings, **self.pending})
            self.parts.append(current)
        current.settings |= self.pending
        self.pending = {}
        current.rows.append(row)

    def _measure(self, row: Row, name: str, text: str, line: Line, end: int) -> None:
        if name not in self.digits.places and len(self.digits.places) >= MAX_METRICS:
            self.past.add(name)
        elif self.digits.are_whole(name, line, text, end):
            row.setdefault(name, value_of(text))


def to_logs(
    log: TextLog, file: str, finish: Callable[[pd.DataFrame, dict[str, Scalar]], pd.DataFrame], notes: Sequence[Note]
) -> Logs:
    """Turn parsed runs into logs.

    Parameters
    ----------
    log : TextLog
    file : str
    finish : callable
        Takes the rows of a run and its settings, which it may add to, and returns the rows as they shall be.
    notes : sequence of Note
        To add.
    """
    runs = []
    lost = 0
    for settings, rows in log.parts:
        frame = pd.DataFrame(list(rows))
        state, without = _state(frame)
        lost += without
        kept = dict(settings)
        runs.append(LoggedRun("", finish(frame.replace([math.inf, -math.inf], math.nan), kept), kept, state, file))
    told = [Note("warning", f"{lost:,} losses are not finite (nan or inf): the training diverged there.", file)]
    return Logs(tuple(runs), (*log.notes, *notes, *(told if lost else [])), log.rejected)


def _lines(text: str) -> Iterator[tuple[int, Line]]:
    """Yield place and text of each line, and of each that a progress bar wrote over."""
    lines = text.split("\n")
    for i, line in enumerate(tracked(lines, len(lines)), start=1):
        written = line.rstrip("\r").split("\r")
        for shown in written[:-1]:
            if shown:
                yield i, Line(_COLOURS.sub("", shown))
        if written[-1]:
            yield i, Line(_COLOURS.sub("", written[-1]), i == len(lines))


def _state(frame: pd.DataFrame) -> tuple[str, int]:
    """Say whether a run ended on a value that is not finite, and count such losses."""
    lost, diverged = 0, False
    for name in (c for c in frame.columns if "loss" in c or "bpb" in c):
        logged = frame[name].dropna().abs()
        lost += int((logged == math.inf).sum())
        diverged = diverged or bool(len(logged) and logged.iloc[-1] == math.inf)
    return ("diverged" if diverged else ""), lost
