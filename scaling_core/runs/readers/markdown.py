"""Tables in Markdown, as in a report or a README: ``| params | loss |`` above a rule ``|---|---|``."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from scaling_core.runs.logs import is_known
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.base import UNLIKE, Likeness, extension_bonus
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.delimited import DelimitedReader
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
_OF_A_RULE = frozenset("|-: \t\r")
_SIZES = ("params", "params_non_embedding", "tokens", "flops")


@dataclass
class _Table:
    """A table: its header, and the place of each line in the text, from 0."""

    place: int
    header: list[str]
    rows: dict[int, list[str]] = field(default_factory=dict)

    @property
    def worth(self) -> tuple[bool, bool]:
        """Whether it has a loss, and a size."""
        return any(is_known(n, "loss") for n in self.header), any(is_known(n, *_SIZES) for n in self.header)


@dataclass(frozen=True)
class MarkdownReader:
    """Reads the table of a text in Markdown that is of runs; others are named."""

    name: str = "Markdown table"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a text that begins with a table, or with prose and a table."""
        if not is_text(upload.head) or b"|" not in upload.head or b"--" not in upload.head:
            return UNLIKE
        lines = as_utf8(upload.head, upload.name)[0].decode(errors="replace").split("\n")
        if next(_tables(lines), None) is None:
            return UNLIKE
        return Likeness(0.8 + extension_bonus(upload.name, ".md"), "it has a header above a rule like “|---|---|”")

    def read(self, upload: Upload) -> RawTable:
        """Read the table with a loss and a size, else the first with either; those with the same header join it.

        Raises
        ------
        UserError
            If it has no row.
        """
        data, notes = as_utf8(upload.data, upload.name)
        tables = list(_tables(data.decode(errors="replace").split("\n")))
        if not tables:  # damaged where the beginning alone still shows one
            return DelimitedReader().read(upload)
        chosen = max(tables, key=lambda table: (sum(table.worth), table.worth))
        alike = [table for table in tables if table.header == chosen.header]
        rows = {place: cells for table in alike for place, cells in table.rows.items()}
        text = _as_tabs(alike[0].place, chosen.header, rows)
        raw = DelimitedReader().read(Upload(upload.name, text.encode()))
        others = [table for table in tables if table.header != chosen.header]
        return replace(raw, format=self.name, notes=(*notes, *raw.notes, *_others(others, upload.name)))


def _tables(lines: Sequence[str]) -> Iterator[_Table]:
    place = 1
    while place < len(lines):
        header = _cells(lines[place - 1]) if _is_rule(lines[place]) else []
        if len(header) < 2 or _is_rule(lines[place - 1]):
            place += 1
            continue
        table = _Table(place - 1, header)
        place += 1
        while place < len(lines) and "|" in lines[place]:
            table.rows[place] = _cells(lines[place])
            place += 1
        yield table


def _is_rule(line: str) -> bool:
    return "-" in line and "|" in line and _OF_A_RULE.issuperset(line)


def _cells(line: str) -> list[str]:
    """Split a line into cells, without marks of emphasis; one without bars is none."""
    if "|" not in line:
        return []
    inside = line.strip().removeprefix("|")
    inside = inside[:-1] if inside.endswith("|") and not inside.endswith("\\|") else inside
    return [cell.strip().strip("*`").strip().replace("\\|", "|") for cell in _BETWEEN_CELLS.split(inside)]


def _as_tabs(first: int, header: Sequence[str], rows: dict[int, list[str]]) -> str:
    """Write the table with tabs, each row in the line it had."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="")
    line = 0
    for place, cells in ((first, header), *sorted(rows.items())):
        text.write("\n" * (place - line))
        writer.writerow(cells)
        line = place
    return text.getvalue() + "\n"


def _others(tables: Sequence[_Table], file: str) -> list[Note]:
    if not tables:
        return []
    shown = "; ".join(", ".join(table.header[:4]) for table in tables[:4]) + ("; and others" if len(tables) > 4 else "")
    count = len(tables)
    text = f"{count:,} other table{'s' * (count > 1)} of the text {'were' if count > 1 else 'was'} left out: {shown}."
    return [Note("warning", text, file)]
