"""Runs to files that other tools read, and that this one reads back as they were: CSV, Parquet, JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from scaling_core.errors import UserError
from scaling_core.runs.export import safe_csv
from scaling_core.runs.schema import COLUMNS, RunTable

#: Under which a Parquet file has its provenance, as JSON.
PARQUET_KEY = b"scaling_runs"
#: Which rows of a table: the runs and checkpoints that are fitted, or every logged step.
ROWS = ("runs", "curves")


def export(table: RunTable, kind: str, rows: str = "runs") -> bytes:
    """Write a table in full: no row thinned, smoothed or rounded.

    Parameters
    ----------
    table : RunTable
    kind : str
        One of ``KINDS``. Parquet and JSON say where the rows came from; a CSV file has no place for it.
    rows : {"runs", "curves"}

    Raises
    ------
    UserError
        If the kind is unknown, or there are no such rows.
    """
    if kind not in KINDS:
        raise UserError(f"“{kind}” is no kind of file that is written here.", fix=f"Choose one of {', '.join(KINDS)}.")
    frame = table.frame if rows == "runs" else logged_steps(table)
    if frame.empty:
        raise UserError("These runs have no curves: nothing was logged along the way.", fix="Export the runs instead.")
    return _WRITERS[kind](frame, provenance(table))


def logged_steps(table: RunTable) -> pd.DataFrame:
    """Return every logged step with the parameters of its run, as far as they are known."""
    keys = ["run", "file"]
    known = table.frame.drop_duplicates(keys)[[*keys, "params"]]
    steps = table.curves.merge(known, on=keys, how="left")
    return steps[[*keys, "params", *(c for c in table.curves if c not in keys)]]


def provenance(table: RunTable) -> dict[str, Any]:
    """Return where rows came from, as JSON types: the files and their hashes, what was understood, what was left out.

    It depends on nothing but the table, so that equal tables give equal files.
    """
    return {
        "files": [{**dataclasses.asdict(s), "columns": list(s.columns)} for s in table.sources],
        "metric": table.metric.column,
        "units": {c.name: c.unit for c in COLUMNS.values() if c.name in table.frame and c.unit},
        "notes": [dataclasses.asdict(n) for n in table.notes],
        "left_out": table.rejected.to_dict(orient="records"),
        "digest": table.digest,
    }


def _csv(frame: pd.DataFrame, said: dict[str, Any]) -> bytes:
    return safe_csv(frame).encode()


def _parquet(frame: pd.DataFrame, said: dict[str, Any]) -> bytes:
    written = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(written.schema.metadata or {}), PARQUET_KEY: json.dumps(said).encode()}
    sink = io.BytesIO()
    parquet.write_table(written.replace_schema_metadata(metadata), sink, compression="zstd")
    return sink.getvalue()


def _json(frame: pd.DataFrame, said: dict[str, Any]) -> bytes:
    """Write columns and rows apart, as pandas calls “split”.

    JSON has no NaN and no infinity. What is missing or not a number is null; what is infinite is null as well, and
    listed under ``not_finite`` by column, sign and row (from 0), from where it is read back.
    """
    cells = [[_cell(v) for v in frame[c].astype(object)] for c in frame.columns]
    rows = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in zip(*cells, strict=True)]
    said = {"provenance": said, "columns": [str(c) for c in frame.columns]}
    if infinite := {str(c): places for c in frame.columns if (places := _infinite(frame[c]))}:
        said["not_finite"] = infinite
    head = json.dumps(said, ensure_ascii=False, indent=1, allow_nan=False)
    return (head[: head.rindex("}")].rstrip() + ',\n "data": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n").encode()


def _infinite(column: pd.Series) -> dict[str, list[int]]:
    """Return the rows in which a column of numbers is infinite, by ``inf`` and ``-inf``."""
    if not pd.api.types.is_float_dtype(column):
        return {}
    values = column.to_numpy(dtype=float, na_value=math.nan)
    places = {"inf": np.flatnonzero(values == math.inf), "-inf": np.flatnonzero(values == -math.inf)}
    return {sign: found.tolist() for sign, found in places.items() if len(found)}


def _cell(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | bool | int):
        return value
    return _cell(value.item()) if hasattr(value, "item") else str(value)


_WRITERS: dict[str, Callable[[pd.DataFrame, dict[str, Any]], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
}
KINDS = tuple(_WRITERS)
MIME = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json"}
