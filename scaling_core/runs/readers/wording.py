"""How lines of printed logs are understood: by a tool's grammar, or by any other wording that says as much."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scaling_core.runs.logs import STEP
from scaling_core.runs.settings import Scalar

#: A number as programs print it, for use in patterns.
NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|NaN|inf|Infinity)"
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}
Row = dict[str, float]


@dataclass(frozen=True)
class Line:
    """A line of a log, and whether the file ends in it, so that its last number may lack digits."""

    text: str
    is_last: bool = False


@dataclass
class Digits:
    """How many decimals each metric was printed with."""

    places: dict[str, int] = field(default_factory=dict)

    def are_whole(self, name: str, line: Line, text: str, end: int) -> bool:
        """Whether a number that ends at ``end`` of a line is all there: a cut one has fewer decimals than before."""
        places = len(text.partition(".")[2])
        if line.is_last and end == len(line.text) and places < self.places.get(name, 1):
            return False
        self.places[name] = places
        return True


class Wording(Protocol):
    """What lines say."""

    def row(self, line: Line, digits: Digits) -> Row | None:
        """Return a logged step: ``step`` and its metrics; None if the line is no such."""

    def metrics(self, line: Line) -> Iterator[tuple[str, str, int]]:
        """Yield name, number and its end of metrics that belong to the step above the line."""

    def is_damaged(self, line: Line) -> bool:
        """Whether a line that is no row began as one."""

    def settings(self, line: Line) -> dict[str, Scalar]:
        """Return what a line states of the run that it stands in, or that begins below it."""

    def closing(self, line: Line) -> dict[str, Scalar]:
        """Return what a line states of the run above it, once that has ended."""


@dataclass(frozen=True)
class Grammar:
    """The lines that a tool prints.

    Attributes
    ----------
    rows : tuple of re.Pattern
        Of logged steps: the group ``step`` and one for each metric, named as it will be. The first that fits counts.
    stated : dict of str to re.Pattern
        Of lines that state a setting, by the name it will have: the group 1 is a number, 2 (if any) a unit K, M, B.
    begins : re.Pattern
        What a logged step begins with: such a line that fits no pattern is damaged.
    metric : re.Pattern, optional
        Of lines below a logged step that add a metric to it: the group 1 is its name, 2 a number.
    closes : dict of str to re.Pattern
        Of lines that state something of the run above them, as ``stated``.
    """

    rows: tuple[re.Pattern[str], ...]
    stated: Mapping[str, re.Pattern[str]]
    begins: re.Pattern[str]
    metric: re.Pattern[str] | None = None
    closes: Mapping[str, re.Pattern[str]] = field(default_factory=dict)

    def row(self, line: Line, digits: Digits) -> Row | None:
        """Match the line with the patterns of rows."""
        found = next((found for pattern in self.rows if (found := pattern.search(line.text))), None)
        if found is None:
            return None
        texts = {name: text for name, text in found.groupdict().items() if text is not None}
        if not all(digits.are_whole(name, line, text, found.end(name)) for name, text in texts.items()):
            return None
        row = {name: value_of(text) for name, text in texts.items()}
        return row if math.isfinite(row[STEP]) else None

    def metrics(self, line: Line) -> Iterator[tuple[str, str, int]]:
        """Match the line with the pattern of a metric."""
        if self.metric and (found := self.metric.search(line.text)):
            yield found[1], found[2], found.end(2)

    def is_damaged(self, line: Line) -> bool:
        """Whether the line begins as a row does."""
        return self.begins.search(line.text) is not None

    def settings(self, line: Line) -> dict[str, Scalar]:
        """Match the line with the patterns of settings."""
        return _matched(line.text, self.stated)

    def closing(self, line: Line) -> dict[str, Scalar]:
        """Match the line with the patterns of what closes a run."""
        return _matched(line.text, self.closes)


def number(text: str) -> float:
    """Read a number as printed, with or without commas between thousands."""
    return float(text.replace(",", ""))


def value_of(text: str) -> float:
    """Read a metric; one logged as nan is told apart from one not logged by being infinite."""
    value = number(text)
    return math.inf if math.isnan(value) else value


def with_unit(text: str, unit: str | None) -> float:
    """Read a number with K, M or B behind it."""
    return number(text) * _SCALE[(unit or "").upper()]


def _matched(line: str, patterns: Mapping[str, re.Pattern[str]]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for name, pattern in patterns.items():
        if match := pattern.search(line):
            found[name] = with_unit(match[1], match[2] if pattern.groups > 1 else "")
    return found
