"""Files in, one table of runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaling_core.errors import UserError
from scaling_core.runs.build import build
from scaling_core.runs.gather import Gathered, condensed, gather, gather_usable
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.progress import part, tick
from scaling_core.runs.raw import RawTable
from scaling_core.runs.schema import Note, RunTable, concatenate
from scaling_core.runs.upload import Upload

_FEW_FILES = 3
#: Share of a load that reading is; understanding what was read is the rest.
READING = 0.8


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
    with part(0.0, READING):
        gathered, notes = gather(uploads, max_bytes)
    with part(READING, 1.0):
        return understand(gathered, notes, overrides)


def understand(
    gathered: Sequence[Gathered], notes: Sequence[Note] = (), overrides: Overrides | None = None
) -> RunTable:
    """Join what was read of files into one table of runs.

    Parameters
    ----------
    gathered : sequence of Gathered
    notes : sequence of Note
        What was noted in reading them.
    overrides : Overrides, optional
        As for ``load``.

    Raises
    ------
    UserError
        If one of them makes no sense as runs; the message names it.
    """
    built, left_out = _built(gathered, overrides or Overrides())
    table = concatenate(built)
    told = (*table.notes, *notes, *left_out)
    # Many files of one kind would say the same many times.
    return replace(table, notes=condensed(told) if len(gathered) > _FEW_FILES else told)


def usable(uploads: Sequence[Upload]) -> tuple[list[Upload], list[UserError]]:
    """Sort files given together into those that can be read, with the settings that go with them, and errors."""
    files = gather_usable(uploads)
    return list(files.kept), list(files.refused)


def _built(gathered: Sequence[Gathered], overrides: Overrides) -> tuple[list[RunTable], list[Note]]:
    """Understand each table; of several, one from a folder that makes no sense is left out with a note."""
    built: list[RunTable] = []
    notes: list[Note] = []
    errors: list[UserError] = []
    for i, one in enumerate(gathered):
        tick(i / len(gathered))
        try:
            table = build(one.raw, one.upload, concerning(overrides, one.raw, gathered))
        except UserError as error:
            if "/" not in one.upload.name:
                raise
            errors.append(error)
            notes.append(Note("warning", f"Left out: {error.what}", one.upload.name))
            continue
        built.append(_by_file(table, one))
    if not built:
        raise errors[0]
    return built, notes


def _by_file(table: RunTable, one: Gathered) -> RunTable:
    """Say of each row and source of a table made of several files which file it came from."""
    if not one.file_of:
        return table
    names = {run: upload.name for run, upload in one.file_of.items()}
    frame = table.frame.assign(file=table.frame["run"].map(names).fillna(one.upload.name))
    (source,) = table.sources
    rows = frame["file"].value_counts()
    files = {upload.name: upload for upload in one.file_of.values()}
    sources = tuple(
        replace(source, file=name, sha256=upload.sha256, rows=int(rows.get(name, 0))) for name, upload in files.items()
    )
    curves = table.curves
    if len(curves):
        curves = curves.assign(file=curves["run"].map(names).fillna(one.upload.name))
    return replace(table, frame=frame, sources=sources, curves=curves)


def concerning(overrides: Overrides, raw: RawTable, tables: Sequence[Gathered]) -> Overrides:
    """Keep the corrections that a file can follow, and those that none of the files can, so that they are reported."""
    elsewhere = {name for other in tables for name in other.raw.frame.columns} - set(raw.frame.columns)
    return overrides.restricted({*raw.frame.columns, *(overrides.wanted - elsewhere)})
