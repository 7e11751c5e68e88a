"""JSON Lines, and a JSON array of objects; nested keys are joined with dots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.logs import Logs
from scaling_core.runs.progress import part, tick, tracked
from scaling_core.runs.raw import MAX_COLUMNS, RawTable, check_column_count, rejected_frame, unique_names
from scaling_core.runs.readers.base import UNLIKE, Likeness, extension_bonus, table_of
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.json_curves import curves_in
from scaling_core.runs.readers.json_shapes import spread
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_SURE_DIGITS = 18  # an integer of more digits may not fit 64 bits, and is kept as a float
_MAX_DEPTH = 16
_PARSING = 0.7  # share of the reading
_STRETCH = 17  # every 128 KiB of an array is a moment to say how far it is read
#: A printed log may begin so, as in [2024-04-17 09:42:26] and [100/1000]; JSON does not.
BEGINS_WITH_DATE = re.compile(rb"\s*\[\s*(?:\d{4}-\d\d-\d\d|\d+\s?/\s?\d+\s?\])")
_FIX = "Give one JSON object a line, or an array of objects, each a run or checkpoint."
_JSON_ERRORS = (ValueError, RecursionError)
Parsed = tuple[int, dict[str, Any]]
Reject = tuple[int, str, str]


@dataclass(frozen=True)
class JsonReader:
    """Reads JSON Lines and JSON arrays of objects."""

    name: str = "JSON"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text that begins with a brace, or with a bracket and something that JSON allows after it."""
        if not is_text(upload.head):
            return UNLIKE
        start = as_utf8(upload.head, upload.name)[0].lstrip()
        after = start[1:].lstrip()[:1]
        if BEGINS_WITH_DATE.match(start):
            return UNLIKE
        if start.startswith(b"{") or (start.startswith(b"[") and after in (b"", *_bytes_of(b'{["]-0123456789tfnNI'))):
            bonus = extension_bonus(upload.name, ".json", ".jsonl", ".ndjson")
            return Likeness(0.9 + bonus, f"it is text that begins with “{start[:1].decode()}”, as JSON does")
        return UNLIKE

    def read(self, upload: Upload) -> RawTable:
        """Read the objects; broken lines are rejected, the rest is used.

        Raises
        ------
        UserError
            If there is no object, or the objects have too many keys.
        """
        found = self.either(upload)
        return found if isinstance(found, RawTable) else table_of(found, self.name, upload.name)

    def either(self, upload: Upload) -> Logs | RawTable:
        """Read the objects as a table, or as logs where they hold whole curves.

        Raises
        ------
        UserError
            As for ``read``.
        """
        data, notes = as_utf8(upload.data, upload.name)
        text = data.decode(errors="replace")
        with part(0.0, _PARSING):
            rows, rejects = _parse(text)
        if not rows:
            raise _no_objects(upload.name, rejects)
        with part(_PARSING, 1.0):
            return self._table(rows, rejects, text, notes, upload)

    def _table(
        self, rows: list[Parsed], rejects: list[Reject], text: str, notes: tuple[Note, ...], upload: Upload
    ) -> Logs | RawTable:
        inside = spread(rows[0][1]) if len(rows) == 1 and not rejects else None
        if inside:
            rows = [(place, row) for place, row in enumerate(inside.rows, start=1) if row]
            notes = (*notes, *_left_out_notes(inside.left_out, upload.name))
        if logs := curves_in(rows, upload.name):
            return replace(logs, notes=(*notes, *logs.notes), rejected=tuple(rejects))
        columns = _columns(rows, upload.name)
        names, renamed = unique_names(list(columns), upload.name)
        frame = pd.DataFrame(dict(zip(names, (_series(c) for c in columns.values()), strict=True)))
        return RawTable(
            frame=frame,
            line=np.array([line for line, _ in rows], dtype=np.int64),
            rejected=rejected_frame(upload.name, rejects),
            format=f"{self.name} {_kind(text, bool(inside))}",
            notes=(*notes, *renamed),
        )


def _left_out_notes(names: tuple[str, ...], file: str) -> list[Note]:
    shown = ", ".join(f"“{name}”" for name in names[:6]) + (" and others" if len(names) > 6 else "")
    return [Note("warning", f"Lists beside that of the runs were left out: {shown}.", file)] if names else []


def _kind(text: str, is_table: bool) -> str:
    return "(object)" if is_table else "(array)" if text.lstrip().startswith("[") else "Lines"


def _bytes_of(text: bytes) -> Iterator[bytes]:
    return (bytes([b]) for b in text)


def _parse(text: str) -> tuple[list[Parsed], list[Reject]]:
    rows: list[Parsed] = []
    rejects: list[Reject] = []
    items = _array_items(text) if text.lstrip().startswith("[") else _line_items(text)
    for line, content, value in items:
        if isinstance(value, dict) and value:
            rows.append((line, value))
        elif isinstance(value, Exception):
            rejects.append((line, f"This is not valid JSON: {_why(value)}.", content))
        else:
            rejects.append((line, "This is not a JSON object with keys.", content))
    return rows, rejects


def _line_items(text: str) -> Iterator[tuple[int, str, Any]]:
    """Yield line number, text and value of each filled line; one object over many lines counts as one."""
    lines = text.split("\n")
    whole = _attempt(text) if _is_open(lines) else None
    if isinstance(whole, dict):
        yield 1, text, whole
        return
    for number, line in enumerate(tracked(lines, len(lines)), start=1):
        if line and not line.isspace():
            yield number, line, _attempt(line)


def _is_open(lines: list[str]) -> bool:
    first = next((line for line in lines if line.strip()), "")
    return isinstance(_attempt(first), Exception)


def _array_items(text: str) -> Iterator[tuple[int, str, Any]]:
    """Yield line number, text and value of each element, up to where the array breaks off."""
    position, line, counted = text.index("[") + 1, 1, 0
    while (position := _skip(text, position)) < len(text) and text[position] != "]":
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, end = _DECODER.raw_decode(text, position)
        except _JSON_ERRORS as error:
            yield line, text[position : position + 600], error
            return
        if end >> _STRETCH != position >> _STRETCH:
            tick(end / len(text))
        yield line, text[position : min(end, position + 600)], value
        position = end


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _attempt(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except _JSON_ERRORS as error:
        return error


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _SURE_DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')} (character {error.colno})"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _columns(rows: list[Parsed], file: str) -> dict[str, list[Any]]:
    """Turn objects into columns, with None where an object lacks a key."""
    columns = _columns_alike(rows)
    return _columns_unlike(rows, file) if columns is None else columns


def _columns_alike(rows: list[Parsed]) -> dict[str, list[Any]] | None:
    """Turn flat objects of the same keys into columns, quickly; None if they are not such."""
    keys = rows[0][1].keys()
    if len(keys) > MAX_COLUMNS or any(value.keys() != keys for _, value in rows):
        return None
    columns = {key: [value[key] for _, value in rows] for key in tracked(keys, len(keys))}
    kinds = {key: set(map(type, cells)) for key, cells in columns.items()}
    if any(dict in kind for kind in kinds.values()) or not all(key.isascii() for key in keys):
        return None
    return {
        key: cells if kinds[key].isdisjoint((str, list)) else [_scalar(cell) for cell in cells]
        for key, cells in columns.items()
    }


def _columns_unlike(rows: list[Parsed], file: str) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for i, (_, value) in enumerate(tracked(rows, len(rows))):
        for key, cell in _flat(value):
            if key not in columns:
                check_column_count(len(columns) + 1, file)
                columns[key] = [None] * len(rows)
            columns[key][i] = cell
    return columns


def _flat(value: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, cell in value.items():
        if isinstance(cell, dict) and cell and depth < _MAX_DEPTH:
            yield from _flat(cell, f"{prefix}{key}.", depth + 1)
        else:
            yield _clean(f"{prefix}{key}"), _scalar(cell)


def _scalar(cell: Any) -> Any:
    if isinstance(cell, str):
        return _clean(cell)
    if not isinstance(cell, (list, dict)):
        return cell
    try:
        return json.dumps(cell)
    except RecursionError:
        return "(nested too deeply)"


def _clean(text: str) -> str:
    # JSON can escape half a surrogate pair, which no encoding can write.
    return text if text.isascii() else text.encode(errors="replace").decode()


def _series(cells: list[Any]) -> pd.Series:
    """Type a column: numbers if all are, text if all are, else as they are."""
    filled = {type(cell) for cell in cells if cell is not None}
    if filled and filled <= {int, float}:
        return pd.Series([np.nan if cell is None else cell for cell in cells], dtype=_number_type(cells, filled))
    if filled == {str}:
        return pd.Series(cells, dtype="str")
    if filled == {bool} and None not in cells:
        return pd.Series(cells, dtype=bool)
    return pd.Series(cells, dtype=object if filled else np.float64)


def _number_type(cells: list[Any], filled: set[type]) -> type:
    return np.int64 if filled == {int} and None not in cells else np.float64


def _no_objects(file: str, rejects: list[Reject]) -> UserError:
    if not rejects:
        return UserError("The JSON holds no runs.", where=file, fix=_FIX)
    line, reason, content = rejects[0]
    where = f"{file}, line {line}"
    return UserError(
        f"The JSON holds no object that can be read. {reason} It reads: {content[:60]!r}.", where=where, fix=_FIX
    )
