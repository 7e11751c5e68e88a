"""Excel workbooks (.xlsx): the sheets that hold tables of runs."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import openpyxl
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.progress import tracked
from scaling_core.runs.raw import RawTable, check_column_count, rejected_frame, unique_names
from scaling_core.runs.readers.base import UNLIKE, Likeness, extension_bonus
from scaling_core.runs.readers.dialect import require_header
from scaling_core.runs.readers.sheets import Sheet, joined
from scaling_core.runs.schema import Note
from scaling_core.runs.streams import is_workbook, read_stream
from scaling_core.runs.upload import MAX_FILE_BYTES, Upload

#: A few cells at the far corner of a sheet would otherwise stand for thousands of millions of empty ones.
MAX_CELLS = 5_000_000
_FIX = "Save the sheet as CSV and give that."
_BROKEN = (
    zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, TypeError, IndexError, AttributeError, ParseError,
    RuntimeError, NotImplementedError, OverflowError, zlib.error,
)  # fmt: skip
Row = tuple[Any, ...]


@dataclass(frozen=True)
class ExcelReader:
    """Reads Excel workbooks."""

    name: str = "Excel"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a ZIP file with a workbook in it."""
        if not is_workbook(upload.data):
            return UNLIKE
        return Likeness(0.95 + extension_bonus(upload.name, ".xlsx", ".xlsm"), "it is an Excel workbook")

    def read(self, upload: Upload) -> RawTable:
        """Read the sheets that are tables of runs, else the first with a row below its header.

        Formulas count by their last value.

        Raises
        ------
        UserError
            If the workbook is broken, too large, or no sheet holds a table.
        """
        try:
            _check_size(upload)
            book = openpyxl.load_workbook(io.BytesIO(upload.data), read_only=True, data_only=True, keep_links=False)
            tables = {sheet.title: list(_filled(sheet, upload.name)) for sheet in book.worksheets}
        except _BROKEN as error:
            raise UserError(
                f"The workbook is broken or cut short ({str(error)[:200]}).", where=upload.name, fix=_FIX
            ) from None
        return _table(tables, upload.name, self.name)


def _check_size(upload: Upload) -> None:
    """Unpack every part once, so that none that lies about its size is opened."""
    left = MAX_FILE_BYTES
    with zipfile.ZipFile(io.BytesIO(upload.data)) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as part:
                left -= len(read_stream(part, entry.compress_size, upload.name, left))


def _filled(sheet: Any, file: str) -> Iterator[tuple[int, Row]]:
    """Yield number and cells of each row that holds anything."""
    cells = 0
    rows = tracked(sheet.iter_rows(values_only=True), sheet.max_row or 1)
    for number, row in enumerate(rows, start=1):
        cells += max(len(row), 1)
        if cells > MAX_CELLS:
            raise UserError(f"The sheet “{sheet.title}” spans more than {MAX_CELLS:,} cells.", where=file, fix=_FIX)
        if any(cell is not None and str(cell).strip() for cell in row):
            yield number, row


def _table(tables: dict[str, list[tuple[int, Row]]], file: str, name: str) -> RawTable:
    sheets: list[Sheet] = []
    errors: list[UserError] = []
    for title, rows in tables.items():
        try:
            if len(rows) > 1:
                sheets.append(_sheet(title, rows, file))
        except UserError as error:
            errors.append(error)
    if not sheets:
        raise errors[0] if errors else UserError(
            "No sheet has a header and a row below it.", where=file, fix="Give a sheet of runs."
        )  # fmt: skip
    whole = joined(sheets, file)
    read = {sheet.title for sheet in sheets}
    beside = [f"“{title}”" for title, rows in tables.items() if rows and title not in read]
    note = Note("info", f"Sheets without a table: {', '.join(beside)}.", file)
    return RawTable(
        frame=whole.frame,
        line=whole.line,
        rejected=rejected_frame(file),
        format=name,
        notes=(*whole.notes, *([note] if beside else [])),
    )


def _sheet(title: str, rows: list[tuple[int, Row]], file: str) -> Sheet:
    """Lay out a sheet: its header is the first row of more than one cell, if any has more."""
    filled = [sum(cell is not None for cell in row) for _, row in rows]
    above = next((i for i, count in enumerate(filled) if count > 1), 0)
    above = above if above < len(rows) - 1 else 0
    (_, header), *rows = rows[above:]
    width = max((i for i, cell in enumerate(header, start=1) if cell is not None), default=0)
    check_column_count(width, file)
    heads = ["" if cell is None else str(cell) for cell in islice(header, width)]
    require_header(heads, file)
    names, notes = unique_names(heads, file)
    columns = {n: _series([row[i] if i < len(row) else None for _, row in rows]) for i, n in enumerate(names)}
    wide = sum(any(cell is not None for cell in row[width:]) for _, row in rows)
    if wide:
        notes = (*notes, Note("warning", f"{wide:,} rows have cells right of the header, which were left out.", file))
    if above:
        text = f"{above:,} line{'s' * (above > 1)} above the header of “{title}” skipped."
        notes = (*notes, Note("info", text, file))
    return Sheet(title, pd.DataFrame(columns), np.array([number for number, _ in rows], dtype=np.int64), notes)


def _series(cells: list[Any]) -> pd.Series:
    """Type a column: numbers if all are, else text; dates are nothing to compute with."""
    filled = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in filled):
        return pd.Series([np.nan if cell is None else float(cell) for cell in cells], dtype=float)
    return pd.Series([None if cell is None else str(cell) for cell in cells], dtype="str")
