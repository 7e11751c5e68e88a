"""From what was dropped to tables: containers opened, folders grouped into runs, logs joined with their settings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import ParamSpec, TypeVar

import numpy as np

from scaling_core.errors import UserError
from scaling_core.runs.beside import as_log, with_settings
from scaling_core.runs.containers import is_container, unpack
from scaling_core.runs.folders import (
    by_folder,
    is_settings,
    read_settings,
    run_folder,
    run_names,
    settings_for,
    upwards,
)
from scaling_core.runs.logs import STEP, LoggedRun, Logs, joined
from scaling_core.runs.members import SUMMARY, summaries, why_unopened
from scaling_core.runs.progress import by_bytes, part
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers import FOLDER_READERS, Candidate, read_as, recognise
from scaling_core.runs.readers.base import FolderReader, LogReader, table_of
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload, hashed_meanwhile

P = ParamSpec("P")
T = TypeVar("T")
#: Share of the reading that unpacking is.
_UNPACKING = 0.2


@dataclass(frozen=True)
class Gathered:
    """One table as read, and the files it was read from.

    Attributes
    ----------
    upload : Upload
        The file; where there are several, their common name and the hash of their hashes.
    raw : RawTable
    file_of : dict of str to Upload
        The file of each run, where there are several.
    """

    upload: Upload
    raw: RawTable
    file_of: dict[str, Upload] = field(default_factory=dict)

    @property
    def first(self) -> Upload:
        """The file, or the first of several."""
        return next(iter(self.file_of.values()), self.upload)


@dataclass(frozen=True)
class _Read:
    """A file that was read: a log, or a table that is none."""

    upload: Upload
    format: str
    reason: str
    reader: LogReader | None
    logs: Logs | None = None
    raw: RawTable | None = None


@dataclass(frozen=True)
class Files:
    """What was read of files that were given together.

    Attributes
    ----------
    tables : tuple of Gathered
    notes : tuple of Note
    kept : tuple of Upload
        Those given that were read, with the settings among them; none where there is no table.
    refused : tuple of UserError
        Why others could not be.
    """

    tables: tuple[Gathered, ...]
    notes: tuple[Note, ...]
    kept: tuple[Upload, ...]
    refused: tuple[UserError, ...] = ()


@dataclass
class _Work:
    """What came of the files so far; ``refused`` goes by the place of what was given, if one may be refused at all."""

    tables: list[Gathered] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    errors: list[UserError] = field(default_factory=list)
    origins: dict[str, int] = field(default_factory=dict)
    failed: dict[int, UserError] = field(default_factory=dict)
    served: set[int] = field(default_factory=set)
    refused: dict[int, UserError] | None = None

    def served_by(self, file: Upload) -> None:
        """Take note that a file was of use."""
        self.served.add(self.origins.get(file.name, -1))

    def failed_by(self, file: Upload, error: UserError) -> None:
        """Take note that a file could not be read.

        Raises
        ------
        UserError
            If the file was given by itself and none may be refused.
        """
        place = self.origins.get(file.name, -1)
        if "/" not in file.name:
            if self.refused is None:
                raise error
            self.refused.setdefault(place, error)
            return
        self.failed.setdefault(place, error)
        self.errors.append(error)
        self.notes.append(Note("warning", f"Left out: {error.what}", file.name))


def gather(uploads: Sequence[Upload], max_bytes: int | None = None) -> tuple[tuple[Gathered, ...], tuple[Note, ...]]:
    """Read everything that was given.

    Files in folders and containers that are no logs are left out with a note; a file given by itself must be one.
    Logs of one format become one table, a run each, with the settings that lie beside them.

    Parameters
    ----------
    uploads : sequence of Upload
        A name may be a path, ``runs/a/metrics.csv``: then its folder says to which run it belongs.
    max_bytes : int, optional
        Of a file, and of all that a container holds.

    Raises
    ------
    UserError
        If a file given by itself cannot be read, or nothing can.
    """
    files = _gather(uploads, max_bytes, _Work())
    return files.tables, files.notes


def gather_usable(uploads: Sequence[Upload], max_bytes: int | None = None) -> Files:
    """Read what can be read of files that were given together; what cannot is refused, and leaves the others alone.

    Parameters
    ----------
    uploads, max_bytes
        As for ``gather``.
    """
    work = _Work(refused={})
    try:
        return _gather(uploads, max_bytes, work)
    except UserError as error:  # nothing can be read
        return Files((), (), (), tuple((work.refused or {0: error}).values()))


def _gather(uploads: Sequence[Upload], max_bytes: int | None, work: _Work) -> Files:
    packed = any(map(is_container, uploads))
    with part(0.0, _UNPACKING if packed else 0.0):
        opened = unpack(uploads, max_bytes, None if work.refused is None else work.refused.setdefault)  # type: ignore[arg-type]
    work.notes += opened.notes
    work.origins |= {f.name: i for f, i in zip(opened.uploads, opened.origins, strict=True)}
    with hashed_meanwhile(opened.uploads), part(_UNPACKING if packed else 0.0, 1.0):
        repeats = _read_all(opened.uploads, max_bytes, work)
    if not work.tables:
        raise work.errors[0] if work.errors else UserError(
            "There is no log of a run in it.", where=uploads[0].name if uploads else "", fix="Give CSV, JSON or logs."
        )  # fmt: skip
    place = {id(file.data): i for i, file in reversed([*enumerate(opened.uploads)])}
    ordered = sorted(work.tables, key=lambda one: place.get(id(one.first.data), -1))
    refused = dict(work.refused or {})
    if work.refused is not None:  # of what holds many files, at least one must be of use
        refused |= {i: error for i, error in work.failed.items() if i not in work.served}
    kept = tuple(upload for i, upload in enumerate(uploads) if i not in refused)
    return Files(tuple(ordered), (*work.notes, *repeats), kept, tuple(refused[i] for i in sorted(refused)))


def _read_all(opened: Sequence[Upload], max_bytes: int | None, work: _Work) -> list[Note]:
    """Read plain files into tables; return what is to be said of those given twice."""
    files = _worth_opening(opened, work)
    files = _take_folders(files, work)
    beside = [f for f in files if is_settings(f.name)]
    logs, repeats = _distinct([f for f in files if not is_settings(f.name)], work)
    found = _read_each(logs, max_bytes, work)
    if not found and not work.tables:  # settings alone may still be a table of runs
        found = _read_each(beside, max_bytes, work)
        beside = []
    settings = {f.name: said for f in beside if (said := _try(work, f, read_settings, f))}
    used = _take_logs(found, by_folder(settings), work)
    _note_unused(settings, used, work)
    return repeats


def _read_each(files: Sequence[Upload], max_bytes: int | None, work: _Work) -> list[_Read]:
    """Read files one after another."""
    found = []
    for file, share in zip(files, by_bytes(len(f.data) for f in files), strict=True):
        with part(*share, f"Reading {file.name}"):
            read = _try(work, file, _read, file, max_bytes)
        if read is not None:
            found.append(read)
    return found


def _worth_opening(files: Sequence[Upload], work: _Work) -> list[Upload]:
    """Leave out files of a folder that are no logs by their names."""
    kept = []
    skipped: dict[str, list[str]] = {}
    summed = summaries([file.name for file in files])
    for file in files:
        reason = why_unopened(file.name) if "/" in file.name else ""
        reason = SUMMARY if file.name in summed else reason
        if reason:
            skipped.setdefault(reason, []).append(file.name)
        else:
            kept.append(file)
    for reason, names in skipped.items():
        work.notes.append(Note("info", f"{_listed(names)} not opened ({reason})."))
    return kept


def _take_folders(files: list[Upload], work: _Work) -> list[Upload]:
    """Read formats that are folders; return the files that none of them claims."""
    for reader in FOLDER_READERS:
        claimed = reader.claims([f.name for f in files])
        inside = [f for f in files if f.name in claimed]
        if not inside:
            continue
        origin = _together(inside, reader.name)
        with part(0.0, 0.5, f"Reading {origin.name}"):
            raw = _try(work, inside[0], _folder_table, reader, inside, origin.name)
        if raw is not None:
            work.tables.append(Gathered(origin, raw))
        files = [f for f in files if f.name not in claimed]
    return files


def _folder_table(reader: FolderReader, files: Sequence[Upload], name: str) -> RawTable:
    return table_of(reader.logs(files), reader.name, name)


def _distinct(uploads: Sequence[Upload], work: _Work) -> tuple[list[Upload], list[Note]]:
    """Drop files given twice, and tell apart different files of the same name."""
    kept: dict[tuple[int, str], Upload] = {}
    names: set[str] = set()
    notes: list[Note] = []
    lengths = Counter(len(upload.data) for upload in uploads)
    for upload in uploads:
        # Only files of one length can be the same, and need to be hashed before they are read.
        content = (len(upload.data), upload.sha256 if lengths[len(upload.data)] > 1 else "")
        if content in kept:
            text = f"The file has the same content as {kept[content].name} and was used once."
            notes.append(Note("info", text, upload.name))
            work.served_by(upload)
            continue
        name = _free_name(upload.name, names)
        if name != upload.name:
            notes.append(Note("info", f"Another file is called {upload.name}, so this one is called {name}.", name))
        names.add(name)
        kept[content] = upload if name == upload.name else Upload(name, upload.data)
        work.origins.setdefault(name, work.origins.get(upload.name, -1))
    return list(kept.values()), notes


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _try(work: _Work, file: Upload, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Read a file; in a folder one that cannot be read is a note, since folders hold all kinds of things."""
    try:
        found = read(*args, **kwargs)
    except UserError as error:
        work.failed_by(file, error)
        return None
    work.served_by(file)
    return found


def _read(file: Upload, max_bytes: int | None) -> _Read:
    best: Candidate = recognise(file, max_bytes)
    found = read_as(best, file)
    reader = best.reader if isinstance(best.reader, LogReader) else None
    if isinstance(found, Logs):
        return _Read(file, best.reader.name, best.likeness.reason, reader, logs=found)
    return _Read(file, found.format, best.likeness.reason, None, raw=found)


def _take_logs(found: list[_Read], settings: dict[str, dict[str, Scalar]], work: _Work) -> set[str]:
    """Turn what was read into tables; return the folders whose settings were used."""
    used: set[str] = set()
    by_format: dict[str, list[_Read]] = {}
    for read in found:
        config = settings_for(run_folder(read.upload.name), settings)
        if read.raw is not None and (logs := as_log(read.raw, read.upload, bool(config))) is not None:
            read = replace(read, logs=logs, raw=None)
        if config:
            used.add(run_folder(read.upload.name))
        if read.logs is not None:
            by_format.setdefault(read.format, []).append(read)
        elif read.raw is not None:
            raw = with_settings(read.raw, config, read.upload)
            work.tables.append(Gathered(read.upload, raw))
    for format, reads in by_format.items():
        table = _try(work, reads[0].upload, _table, format, reads, settings)
        if table is not None:
            work.tables.append(table)
    return used


def _table(format: str, reads: list[_Read], settings: dict[str, dict[str, Scalar]]) -> Gathered:
    """Join the logs of one format into one table."""
    runs = _runs(reads, settings)
    origin = reads[0].upload if len(reads) == 1 else _together([r.upload for r in reads], format)
    logs = Logs(
        tuple(run for run, _ in runs),
        condensed([n for r in reads if r.logs for n in r.logs.notes]),
        tuple(row for r in reads for row in _rejected(r, len(reads) > 1)),
    )
    reader = reads[0].reader
    raw = table_of(logs, format, origin.name, reader.complete if reader else None)
    raw = replace(raw, reason=reads[0].reason)
    if len(reads) == 1:
        return Gathered(origin, raw)
    # Names of runs are told apart only now, in the order in which they were given.
    names = list(dict.fromkeys(raw.frame["run"]))
    kept = [upload for run, upload in runs if np.isfinite(run.rows[STEP].to_numpy(dtype=float)).any()]
    return Gathered(origin, raw, dict(zip(names, kept, strict=False)))


def _rejected(read: _Read, is_one_of_many: bool) -> list[tuple[int, str, str]]:
    """Return what could not be read of a log, with the file's name where the line alone would not tell."""
    rows = read.logs.rejected if read.logs else ()
    beside = f" ({read.upload.name})" if is_one_of_many else ""
    return [(line, f"{reason}{beside}", content) for line, reason, content in rows]


def _runs(reads: list[_Read], settings: dict[str, dict[str, Scalar]]) -> list[tuple[LoggedRun, Upload]]:
    """Name the runs, give them the settings beside them, and join parts of one run."""
    parts: dict[str, list[_Read]] = {}
    for read in reads:
        parts.setdefault(_part(read), []).append(read)
    groups = [sorted(group, key=_extent) for group in parts.values()]
    runs = []
    for group, name in zip(groups, run_names([g[-1].upload.name for g in groups]), strict=True):
        upload = group[-1].upload
        config = settings_for(run_folder(upload.name), settings)
        logged = [run for read in group if read.logs for run in read.logs.runs]
        if len(group) > 1:
            logged = [joined([replace(logged[-1], rows=logged[-1].rows.iloc[:0]), *logged], logged[-1].name)]
        for run in logged:
            named = run.name if run.name not in ("", upload.name) else name
            runs.append((replace(run, name=named, config={**config, **run.config}), upload))
    return runs


def _part(read: _Read) -> str:
    """Say of which run a file is part: equal for files that are of one."""
    folder = run_folder(read.upload.name)
    if read.reader and read.reader.joins_by_name and read.logs:
        return f"{folder}\n{read.logs.runs[0].name}"
    joins = bool(read.reader and read.reader.joins_a_folder and folder)
    return folder if joins else f"{folder}/{read.upload.name}"


def _extent(read: _Read) -> tuple[float, str]:
    """Order parts of one run by how far they go: the last repeats or continues the others."""
    steps = [float(run.rows[STEP].max()) for run in (read.logs.runs if read.logs else ()) if len(run.rows)]
    return max(steps, default=-1.0), read.upload.name


def _together(files: Sequence[Upload], format: str) -> Upload:
    """Stand one upload for several: their common folder and the hash of their hashes, in the order of their names."""
    hashes = "\n".join(f.sha256 for f in sorted(files, key=lambda f: f.name))
    folders = [PurePosixPath(f.name).parent.parts for f in files]
    shared = [level[0] for level in zip(*folders, strict=False) if len(set(level)) == 1]
    return Upload("/".join(shared) or f"{len(files):,} files of {format}", hashlib.sha256(hashes.encode()).digest())


def condensed(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Say once what is said alike of several files."""
    files: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        files.setdefault((note.severity, note.text), []).append(note)
    return tuple(
        same[0] if len(same) == 1 else Note(same[0].severity, f"{same[0].text} (In {len(same):,} files.)")
        for same in files.values()
    )


def _note_unused(settings: dict[str, dict[str, Scalar]], used: set[str], work: _Work) -> None:
    reached = {place for folder in used for place in upwards(folder)}
    unused = [path for path in settings if run_folder(path) not in reached]
    if unused:
        work.notes.append(Note("info", f"{_listed(unused)} not used: no log of a run lies beside or below."))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    return f"{len(names):,} file{'s' * (len(names) > 1)} ({shown})"
