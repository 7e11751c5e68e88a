"""Parquet, by its own column types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from scaling_core.errors import UserError
from scaling_core.runs.progress import tick
from scaling_core.runs.raw import RawTable, check_column_count, rejected_frame, unique_names
from scaling_core.runs.readers.base import UNLIKE, Likeness, extension_bonus
from scaling_core.runs.upload import Upload

_MARK = b"PAR1"
_DECODING = 0.7  # share of the reading
#: Compression can pack a table far larger than memory into a small file.
MAX_CELLS = 200_000_000
_MAX_DEPTH = 16
_BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError, RuntimeError)


@dataclass(frozen=True)
class ParquetReader:
    """Reads Parquet files."""

    name: str = "Parquet"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept what begins with the mark of a Parquet file."""
        if not upload.head.startswith(_MARK):
            return UNLIKE
        return Likeness(0.95 + extension_bonus(upload.name, ".parquet", ".pq"), "it begins with PAR1")

    def read(self, upload: Upload) -> RawTable:
        """Read the table; nested columns are flattened with dots.

        Raises
        ------
        UserError
            If the file is broken or cut short, has no row, or is too large.
        """
        columns, titles, rows = _columns(upload)
        names, notes = unique_names(titles, upload.name)
        if not rows:
            raise UserError(
                f"The table has columns ({', '.join(names[:8])}) but no rows.", where=upload.name, fix="Give a row."
            )
        return RawTable(
            frame=_frame(names, columns),
            line=np.arange(1, rows + 1, dtype=np.int64),
            rejected=rejected_frame(upload.name),
            format=self.name,
            notes=notes,
        )


def _columns(upload: Upload) -> tuple[list[pa.ChunkedArray], list[str], int]:
    """Return columns, their names, and how many rows there are."""
    try:
        file = parquet.ParquetFile(pa.BufferReader(upload.data))
        _check_shape(file.metadata, upload.name)
        table = _read(file)
        for _ in range(_MAX_DEPTH):
            if not any(pa.types.is_struct(f.type) for f in table.schema):
                break
            table = table.flatten()
        table.validate(full=True)
    except _BROKEN as error:
        raise UserError(
            f"The Parquet file is broken or cut short ({_first_line(error)}).",
            where=upload.name,
            fix="Write or download it again.",
        ) from None
    return table.columns, table.column_names, table.num_rows


def _read(file: parquet.ParquetFile) -> pa.Table:
    """Read one group of rows after another, so that it can be said how far it is."""
    groups = file.num_row_groups
    if groups < 2:
        return file.read()
    parts = []
    for i in range(groups):
        tick(_DECODING * i / groups)
        parts.append(file.read_row_group(i))
    return pa.concat_tables(parts)


def _frame(names: Sequence[str], columns: list[pa.ChunkedArray]) -> pd.DataFrame:
    """Turn columns into a frame, each given up as soon as it is copied; ``columns`` is empty afterwards."""
    series = {}
    for i, name in enumerate(names):
        tick(_DECODING + (1 - _DECODING) * i / len(names))
        series[name] = _series(columns.pop(0))
    # Each column a block of its own: joined into one block, all numbers would be copied.
    return pd.DataFrame(series, copy=False)


def _check_shape(metadata: parquet.FileMetaData, file: str) -> None:
    check_column_count(metadata.num_columns, file)
    if metadata.num_rows * metadata.num_columns > MAX_CELLS:
        raise UserError(
            f"The table has {metadata.num_rows:,} rows of {metadata.num_columns} columns, too many to hold.",
            where=file,
            fix="Keep only the columns you need, or every 10th row.",
        )


def _series(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type) or pa.types.is_float16(column.type):
        column = column.cast(pa.float64())
    if _is_plain(column.type):
        return pd.Series(column.to_pandas()).reset_index(drop=True)
    return pd.Series(list(_texts(column)), dtype="str")


def _is_plain(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
        or types.is_string(kind) or types.is_large_string(kind)
    )  # fmt: skip


def _texts(column: pa.ChunkedArray) -> Iterator[str | None]:
    """Write dates, lists and bytes as text: none of them is computed with."""
    for cell in column:
        value = cell.as_py()
        yield value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:200] if lines else type(error).__name__
