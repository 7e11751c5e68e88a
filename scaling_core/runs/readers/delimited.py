"""CSV and its kin: cells separated by comma, tab, semicolon or pipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from scaling_core.errors import UserError
from scaling_core.runs.aliases import is_run_name
from scaling_core.runs.export import without_guard
from scaling_core.runs.guess import is_export
from scaling_core.runs.progress import tick
from scaling_core.runs.raw import RawTable, rejected_frame, unique_names
from scaling_core.runs.readers.base import UNLIKE, Likeness, extension_bonus
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.dialect import (
    DELIMITERS,
    Dialect,
    find_dialect,
    require_header,
    split_rows,
    without_comments,
)
from scaling_core.runs.readers.mend import mend_quotes
from scaling_core.runs.readers.records import Records, find_records
from scaling_core.runs.readers.source import as_file
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_SAMPLE_BYTES = 64 * 2**10
#: How much is parsed at a time: a record must fit in, and a reading is stopped between two of them.
_BLOCK_BYTES = 8 * 2**20
#: Below this many bytes a careful look at every row costs nothing.
_LARGE = 2**20
_EVERY = 1_024
Rejects = list[tuple[int, str, str]]


@dataclass(frozen=True)
class DelimitedReader:
    """Reads CSV, TSV, and tables separated by semicolons or pipes."""

    name: str = "CSV"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept any text: whether it is a table shows in reading it."""
        if not is_text(upload.head):
            return UNLIKE
        bonus = extension_bonus(upload.name, ".csv", ".tsv", ".txt", ".tab")
        return Likeness(0.5 + bonus, "it is text, and nothing in it speaks for another format")

    def read(self, upload: Upload) -> RawTable:
        """Read the table; rows of the wrong width are rejected, the rest is used.

        Raises
        ------
        UserError
            If there is no header, no row, or too many columns.
        """
        raw = self._read(upload)
        return unguarded(raw) if is_export(raw.frame.columns) else raw

    def _read(self, upload: Upload) -> RawTable:
        data, notes = as_utf8(upload.data, upload.name)
        data, comments = without_comments(data, upload.name)
        dialect = find_dialect(data[:_SAMPLE_BYTES].decode(errors="ignore"))
        if plain := self._plain(data, dialect, upload.name):
            return replace(plain, notes=(*notes, *comments, *plain.notes))
        data, unclosed = mend_quotes(data, dialect.delimiter)
        records = find_records(data)
        names, renamed = self._header(records, dialect, upload.name)
        frame, line, rejects = _rows(records, names, dialect)
        rejects += unclosed
        if not len(frame):
            raise _no_rows(upload.name, names, rejects)
        return RawTable(
            frame=frame,
            line=line,
            rejected=rejected_frame(upload.name, rejects),
            format=self._format(dialect),
            notes=(*notes, *comments, *renamed, *_dialect_notes(dialect, upload.name)),
            decimal=dialect.decimal,
        )

    def _plain(self, data: bytes, dialect: Dialect, file: str) -> RawTable | None:
        """Read a large table in which every line is one whole row, without a look at each; None if it is no such."""
        end = data.find(b"\n")
        if len(data) < _LARGE or data[:end].count(b'"') % 2 or not data[:end].strip():
            return None
        names, renamed = self._header(find_records(data[: end + 1]), dialect, file)
        frame = _parse(data, names, dialect, end + 1, blanks=False) if len(names) > 1 else None
        # A header in the middle would have made text of every column; a quote may have hidden the end of a line.
        if (
            frame is None
            or (b'"' in data and len(frame) != _count_lines(data, end + 1))
            or not any(map(pd.api.types.is_numeric_dtype, frame.dtypes))
        ):
            return None
        return RawTable(
            frame=frame,
            line=np.arange(2, len(frame) + 2, dtype=np.int64),
            rejected=rejected_frame(file),
            format=self._format(dialect),
            notes=(*renamed, *_dialect_notes(dialect, file)),
            decimal=dialect.decimal,
        )

    def _format(self, dialect: Dialect) -> str:
        return f"{self.name} ({DELIMITERS[dialect.delimiter]}-separated)"

    @staticmethod
    def _header(records: Records, dialect: Dialect, file: str) -> tuple[list[str], tuple[Note, ...]]:
        if not len(records.start):
            raise UserError("The file is empty.", where=file, fix="Give a file with a header and rows.")
        cells = split_rows(records.text(0), dialect.delimiter)
        names = cells[0] if cells else [records.text(0)]
        require_header(names, file)
        return unique_names(names, file)


def _rows(records: Records, names: Sequence[str], dialect: Dialect) -> tuple[pd.DataFrame, NDArray[np.int64], Rejects]:
    """Read the rows after the header: fast if the quotes are sound, else one by one."""
    width = records.fields(dialect.delimiter)
    repeats = records.equal_to_first()
    ragged = (width != len(names)) & ~repeats
    ragged[0] = False
    drop = repeats | ragged
    drop[0] = True
    frame = _parse(records.without(drop), names, dialect) if not drop.all() else pd.DataFrame(columns=list(names))
    if frame is None or len(frame) != np.count_nonzero(~drop):
        return _rows_one_by_one(records.data, names, dialect)
    rejects = [
        _ragged(int(records.line[i]), int(width[i]), len(names), records.text(int(i))) for i in ragged.nonzero()[0]
    ]
    rejects += [_repeated(int(records.line[i]), records.text(int(i))) for i in repeats.nonzero()[0]]
    return frame, records.line[~drop], rejects


def _count_lines(data: bytes, start: int) -> int:
    return data.count(b"\n", start) + (not data.endswith(b"\n"))


def _parse(
    body: bytes, names: Sequence[str], dialect: Dialect, start: int = 0, *, blanks: bool = True
) -> pd.DataFrame | None:
    """Let Arrow type the columns of the text from ``start`` on; None if it cannot make sense of it.

    Blank lines are passed over, or make no sense of the text either.
    """
    types = {name: pa.large_string() for name in names if is_run_name(name)}
    text = pa.py_buffer(body).slice(start)
    how = arrow_csv.ParseOptions(
        delimiter=dialect.delimiter, newlines_in_values=b'"' in body, ignore_empty_lines=blanks
    )
    try:
        table = _arrow_table(text, how, names, types, dialect.decimal)
        # Dates are nothing to compute with here, and as text they stay what the file says.
        dates = {f.name: pa.large_string() for f in table.schema if pa.types.is_temporal(f.type)}
        table = _arrow_table(text, how, names, types | dates, dialect.decimal) if dates else table
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return _to_frame(table)


def _arrow_table(
    text: pa.Buffer, how: arrow_csv.ParseOptions, names: Sequence[str], types: dict[str, pa.DataType], decimal: str
) -> pa.Table:
    return arrow_csv.read_csv(
        as_file(text),
        read_options=arrow_csv.ReadOptions(column_names=list(names), block_size=_BLOCK_BYTES),
        parse_options=how,
        convert_options=arrow_csv.ConvertOptions(column_types=types, decimal_point=decimal, strings_can_be_null=False),
    )


def unguarded(raw: RawTable) -> RawTable:
    """Take away what ``safe_csv`` put in front of texts and names that a spreadsheet would run."""
    names = without_guard(pd.Series([str(name) for name in raw.frame.columns], dtype="str"))
    columns = (raw.frame[name] for name in raw.frame.columns)
    texts = (without_guard(c) if isinstance(c.dtype, pd.StringDtype) else c for c in columns)
    return replace(raw, frame=pd.DataFrame(dict(zip(names, texts, strict=True)), copy=False))


def _to_frame(table: pa.Table) -> pd.DataFrame:
    empty = [i for i, f in enumerate(table.schema) if pa.types.is_null(f.type)]
    for i in empty:
        table = table.set_column(i, table.schema.field(i).name, table.column(i).cast(pa.float64()))
    # Each column a block of its own: joined into one block, all numbers would be copied.
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    del table
    pa.default_memory_pool().release_unused()
    return frame


def _rows_one_by_one(
    data: bytes, names: Sequence[str], dialect: Dialect
) -> tuple[pd.DataFrame, NDArray[np.int64], Rejects]:
    """Read a table with unbalanced quotes: slow, all cells stay text, but no good row is lost to a bad one."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=dialect.delimiter)
    rows: list[list[str]] = []
    lines: list[int] = []
    rejects: Rejects = []
    header: list[str] | None = None
    lines_in_all = data.count(b"\n") + 1
    for turn in count():
        line = reader.line_num + 1
        if turn % _EVERY == 0:
            tick(line / lines_in_all)
        try:
            row = next(reader, None)
        except csv.Error as error:
            rejects.append((line, f"The row cannot be read: {error}.", ""))
            continue
        if row is None:
            break
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            header = row
        elif row == header:
            rejects.append(_repeated(line, dialect.delimiter.join(row)))
        elif len(row) != len(names):
            rejects.append(_ragged(line, len(row), len(names), dialect.delimiter.join(row)))
        else:
            rows.append(row)
            lines.append(line)
    frame = pd.DataFrame(rows, columns=list(names), dtype="str")
    return frame, np.array(lines, dtype=np.int64), rejects


def _ragged(line: int, found: int, expected: int, content: str) -> tuple[int, str, str]:
    return line, f"The row has {found} cells where the header has {expected}.", content


def _repeated(line: int, content: str) -> tuple[int, str, str]:
    return line, "The row repeats the header.", content


def _no_rows(file: str, names: Sequence[str], rejects: Rejects) -> UserError:
    if not rejects:
        return UserError(
            f"The file has a header ({', '.join(names[:8])}) but no rows.",
            where=file,
            fix="Give at least one row below it.",
        )
    line, reason, content = rejects[0]
    return UserError(
        f"None of the {len(rejects)} rows can be read. {reason} It reads: {content[:80]!r}.",
        where=f"{file}, line {line}",
        fix="Give every row as many cells as the header has.",
    )


def _dialect_notes(dialect: Dialect, file: str) -> tuple[Note, ...]:
    if dialect.decimal == ".":
        return ()
    return (Note("info", "Numbers are written with a decimal comma (2,71) and were read so.", file),)
