"""Files in, one table of runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaling_core.errors import UserError
from scaling_core.runs.build import build
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers import read
from scaling_core.runs.schema import Note, RunTable, concatenate
from scaling_core.runs.upload import Upload


def load(uploads: Sequence[Upload], overrides: Overrides | None = None, max_bytes: int | None = None) -> RunTable:
    """Read files and join them into one table.

    Parameters
    ----------
    uploads : sequence of Upload
    overrides : Overrides, optional
        What a person corrected; a file that lacks a corrected column which another has is guessed instead.
    max_bytes : int, optional
        The largest size of a file; ``MAX_FILE_BYTES`` unless given.

    Raises
    ------
    UserError
        If there is no file, or one of them cannot be used; the message names it.
    """
    if not uploads:
        raise UserError("There is no file to read.", fix="Give at least one file of runs.")
    distinct, repeats = _distinct(uploads)
    tables = [(upload, read(upload, max_bytes)) for upload in distinct]
    corrections = overrides or Overrides()
    built = [build(raw, upload, _concerning(corrections, raw, tables)) for upload, raw in tables]
    table = concatenate(built)
    return replace(table, notes=(*table.notes, *repeats))


def _distinct(uploads: Sequence[Upload]) -> tuple[list[Upload], tuple[Note, ...]]:
    """Drop files given twice, and tell apart different files of the same name."""
    kept: dict[str, Upload] = {}
    notes: list[Note] = []
    for upload in uploads:
        if upload.sha256 in kept:
            text = f"The file has the same content as {kept[upload.sha256].name} and was used once."
            notes.append(Note("info", text, upload.name))
            continue
        name = _free_name(upload.name, {other.name for other in kept.values()})
        if name != upload.name:
            notes.append(Note("info", f"Another file is called {upload.name}, so this one is called {name}.", name))
        kept[upload.sha256] = Upload(name, upload.data)
    return list(kept.values()), tuple(notes)


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _concerning(overrides: Overrides, raw: RawTable, tables: Sequence[tuple[Upload, RawTable]]) -> Overrides:
    """Keep the corrections that this file can follow, and those that no file can, so that they are reported."""
    elsewhere = {name for _, other in tables for name in other.frame.columns} - set(raw.frame.columns)
    wanted = {column for column in overrides.columns.values() if column is not None}
    return overrides.restricted({*raw.frame.columns, *(wanted - elsewhere)})
