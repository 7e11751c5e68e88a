"""What logs printed as text share: lines with a step and numbers among lines of anything else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.logs import LINE, MAX_METRICS, STEP, LoggedRun, Logs
from scaling_core.runs.progress import tracked
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

#: A number as programs print it, for use in patterns.
NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|NaN|inf|Infinity)"
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}
_MOST_REJECTED = 1_000
Row = dict[str, float]


@dataclass(frozen=True)
class Grammar:
    """The lines that a tool prints.

    Attributes
    ----------
    rows : tuple of re.Pattern
        Of logged steps: the group ``step`` and one for each metric, named as it will be. The first that fits counts.
    settings : dict of str to re.Pattern
        Of lines that state a setting, by the name it will have: the group 1 is a number, 2 (if any) a unit K, M, B.
    begins : re.Pattern
        What a logged step begins with: such a line that fits no pattern is damaged.
    metric : re.Pattern, optional
        Of lines below a logged step that add a metric to it: the group 1 is its name, 2 a number.
    """

    rows: tuple[re.Pattern[str], ...]
    settings: Mapping[str, re.Pattern[str]]
    begins: re.Pattern[str]
    metric: re.Pattern[str] | None = None


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
    return any(pattern.search(_plain(part)) for part in (upload.head, tail))


def _plain(part: bytes) -> str:
    return _COLOURS.sub("", part.decode(errors="replace").replace("\r", "\n"))


def parse(upload: Upload, grammar: Grammar) -> TextLog:
    """Read a text log. A run begins where the step goes back to the first one; a step in between is a restart.

    Raises
    ------
    UserError
        If no line has a step.
    """
    data, notes = as_utf8(upload.data, upload.name)
    current, pending = _Part(), dict[str, Scalar]()
    parts = [current]
    rejected: list[tuple[int, str, str]] = []
    decimals: dict[str, int] = {}
    past: set[str] = set()
    for number, line, is_cut in _lines(data.decode(errors="replace")):
        row = _row(line, grammar.rows, decimals, is_cut)
        if row is not None:
            if current.rows and row[STEP] == current.rows[0][STEP] < max(current.rows[-1][STEP], row[STEP]):
                current, pending = _Part({**current.settings, **pending}), {}
                parts.append(current)
            current.settings |= pending
            pending = {}
            current.rows.append(row | {LINE: float(number)})
        elif current.rows and grammar.metric and (found := grammar.metric.search(line)):
            if found[1] not in decimals and len(decimals) >= MAX_METRICS:
                past.add(found[1])
            elif _is_whole(found[1], found[2], decimals, is_cut and found.end(2) == len(line)):
                current.rows[-1].setdefault(found[1], _value(found[2]))
        elif grammar.begins.search(line):
            if len(rejected) < _MOST_REJECTED:
                rejected.append((number, "The line of a step is damaged or cut short.", line))
        else:
            pending |= _settings(line, grammar.settings)
    kept = tuple((p.settings, tuple(p.rows)) for p in parts if p.rows)
    if not kept:
        raise UserError(
            "No line of this log has a step that can be read.", where=upload.name, fix="Give the whole log of a run."
        )
    text = f"{len(past):,} metrics past the first {MAX_METRICS:,} were left out."
    return TextLog(kept, (*notes, *([Note("warning", text, upload.name)] if past else [])), tuple(rejected))


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


def number(text: str) -> float:
    """Read a number as printed, with or without commas between thousands."""
    return float(text.replace(",", ""))


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield number, text and whether it may be cut, of each line, and of each that a progress bar wrote over."""
    lines = text.split("\n")
    for i, line in enumerate(tracked(lines, len(lines)), start=1):
        written = line.rstrip("\r").split("\r")
        for shown in written[:-1]:
            if shown:
                yield i, _COLOURS.sub("", shown), False
        if written[-1]:
            yield i, _COLOURS.sub("", written[-1]), i == len(lines)


def _row(line: str, patterns: Sequence[re.Pattern[str]], decimals: dict[str, int], is_cut: bool) -> Row | None:
    for pattern in patterns:
        if found := pattern.search(line):
            row = {}
            for name, text in found.groupdict().items():
                if text is None:
                    continue
                if not _is_whole(name, text, decimals, is_cut and found.end(name) == len(line)):
                    return None
                row[name] = _value(text)
            return row if math.isfinite(row[STEP]) else None
    return None


def _is_whole(name: str, text: str, decimals: dict[str, int], is_last: bool) -> bool:
    """Whether a number is all there: one in which the file ends has fewer decimals than those before it."""
    places = len(text.partition(".")[2])
    if is_last and places < decimals.get(name, 1):
        return False
    decimals[name] = places
    return True


def _value(text: str) -> float:
    # A missing value is "not logged" in a frame, so one logged as nan must be told apart.
    value = number(text)
    return math.inf if math.isnan(value) else value


def _settings(line: str, patterns: Mapping[str, re.Pattern[str]]) -> dict[str, Scalar]:
    found = {}
    for name, pattern in patterns.items():
        if match := pattern.search(line):
            unit = match[2] if pattern.groups > 1 and match[2] else ""
            found[name] = number(match[1]) * _SCALE[unit]
    return dict(found)


def _state(frame: pd.DataFrame) -> tuple[str, int]:
    """Say whether a run ended on a value that is not finite, and count such losses."""
    lost, diverged = 0, False
    for name in (c for c in frame.columns if "loss" in c or "bpb" in c):
        logged = frame[name].dropna().abs()
        lost += int((logged == math.inf).sum())
        diverged = diverged or bool(len(logged) and logged.iloc[-1] == math.inf)
    return ("diverged" if diverged else ""), lost
