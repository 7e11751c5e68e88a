"""A hash of tables by what they hold: equal tables give equal digests, on any machine and however they were read.

Columns are hashed as the buffers that hold them, not cell by cell: a column that two tables share is hashed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

#: Changes with what is hashed and how, so that digests of two ways never meet.
_WAY = b"scaling-runs 2\n"
_MISSING = -1
_WORKERS = 4


def digest_of(tables: Sequence[pd.DataFrame]) -> str:
    """Return the SHA-256 of tables, in hexadecimal: of their columns' names, kinds and cells, in their order.

    Equal numbers of two kinds (1 and 1.0) are the same; all NaN are; missing text is not empty text. The index of a
    table does not count.
    """
    columns = [[*table.items()] for table in tables]  # held, so that no two have one place
    # The columns of curves are mostly those of the runs.
    distinct = {_place(column): column for named in columns for _, column in named}
    with ThreadPoolExecutor(_WORKERS) as workers:  # hashing gives other threads their turn
        hashes = dict(zip(distinct, workers.map(_column_hash, distinct.values()), strict=True))
    whole = hashlib.sha256(_WAY)
    for table, pairs in zip(tables, columns, strict=True):
        whole.update(f"{len(table)} {table.shape[1]}\n".encode())
        for name, column in pairs:
            title = str(name).encode(errors="surrogatepass")
            whole.update(len(title).to_bytes(8, "little") + title + hashes[_place(column)])
    return whole.hexdigest()


def _place(column: pd.Series) -> tuple[object, ...]:
    """Where a column lies in memory."""
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        values = column.to_numpy()
        return values.__array_interface__["data"][0], values.strides, len(values), str(values.dtype)
    return (id(column.array if isinstance(column.dtype, pd.StringDtype) else column),)


def _column_hash(column: pd.Series) -> bytes:
    kind, buffers = _buffers(column)
    content = hashlib.sha256(kind)
    for buffer in buffers:
        content.update(buffer.data)
    return content.digest()


def _buffers(column: pd.Series) -> tuple[bytes, list[NDArray[np.generic]]]:
    """Return the kind of a column, and its cells as buffers in one byte order."""
    if pd.api.types.is_bool_dtype(column) and not column.hasnans:
        return b"bool", [column.to_numpy(dtype=np.uint8)]
    if pd.api.types.is_numeric_dtype(column):
        return b"number", [_numbers(column)]
    texts = column if isinstance(column.dtype, pd.StringDtype) else column.map(_as_text, na_action="ignore")
    return b"text", list(_texts(pa.array(texts, type=pa.large_string(), from_pandas=True)))


def _numbers(column: pd.Series) -> NDArray[np.generic]:
    values = np.ascontiguousarray(column.to_numpy(dtype="<f8", na_value=np.nan))
    if pd.api.types.is_integer_dtype(column) and len(column) and np.nanmax(np.abs(values), initial=0) > 2**53:
        return np.ascontiguousarray(column.to_numpy(dtype="<i8", na_value=0))  # as floats, neighbours would be equal
    # Of the many bit patterns of NaN, and of the two of zero, one each.
    odd = np.isnan(values) | (values == 0)
    return np.where(odd, np.where(values == 0, 0.0, np.nan), values).astype("<f8") if odd.any() else values


def _texts(column: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return the lengths of texts, -1 where one is missing, and their bytes one after another."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # as an empty one stays
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=pa.large_string())
    _, offsets, data = array.buffers()
    if not len(array) or offsets is None:
        return np.empty(0, dtype="<i8"), np.empty(0, dtype=np.uint8)
    places = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(places).astype("<i8")
    content = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
    if array.null_count:
        missing = array.is_null().to_numpy(zero_copy_only=False)
        lengths[missing] = _MISSING
        array = pa.array(array.drop_null())
        return lengths, _texts(array)[1]
    return lengths, content[places[0] : places[-1]]


def _as_text(cell: object) -> str:
    """Say what a cell of mixed ones is: the number 1 is not the text “1”."""
    text = cell if isinstance(cell, str) else f"{type(cell).__name__} {cell!r}"
    return text.encode(errors="replace").decode()
