"""What a reader of one format offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Protocol, runtime_checkable

from scaling_core.runs.logs import LoggedRun, Logs, to_raw
from scaling_core.runs.raw import RawTable
from scaling_core.runs.shape import with_counts
from scaling_core.runs.upload import Upload

#: What a fitting extension adds to a reader's score: enough to settle a tie, never to overrule the content.
EXTENSION_BONUS = 0.05


@dataclass(frozen=True)
class Likeness:
    """How surely a file is of a format, from 0 (it is not) to 1, and what in it says so, as shown to people."""

    score: float = 0.0
    reason: str = ""


UNLIKE = Likeness()


class Reader(Protocol):
    """Reads files of one format."""

    @property
    def name(self) -> str:
        """The format's name, as shown to people."""

    def looks_like(self, upload: Upload) -> Likeness:
        """Say how surely a file is of this format, and why, by its content; quickly, and never raising anything."""

    def read(self, upload: Upload) -> RawTable:
        """Read the file; UserError if it is broken."""


@runtime_checkable
class LogReader(Protocol):
    """Reads files of logs. Its ``logs`` may be joined with what lies beside the file before it becomes a table."""

    @property
    def name(self) -> str:
        """The format's name, as shown to people."""

    def looks_like(self, upload: Upload) -> Likeness:
        """As for a ``Reader``."""

    def logs(self, upload: Upload) -> Logs:
        """Read the runs of the file; UserError if it is broken."""

    @property
    def joins_a_folder(self) -> bool:
        """Whether several of its files in one run's folder are parts of one run, as after a restart."""
        return False

    @property
    def joins_by_name(self) -> bool:
        """Whether several of its files in one folder that name the same run, or none, are parts of that run."""
        return False

    def complete(self, run: LoggedRun) -> LoggedRun:
        """Add what follows from the log and the settings together, once those beside it are known."""
        return run

    def read(self, upload: Upload) -> RawTable:
        """Read the file; UserError if it is broken."""
        return table_of(self.logs(upload), self.name, upload.name, self.complete)


@runtime_checkable
class EitherReader(Protocol):
    """Reads files that may be tables or logs, which only their content tells."""

    @property
    def name(self) -> str:
        """The format's name, as shown to people."""

    def either(self, upload: Upload) -> Logs | RawTable:
        """Read the file as what it is; UserError if it is broken."""


class FolderReader(Protocol):
    """Reads a format that is a folder of many small files; each upload's name is its path in the folder, with ``/``."""

    @property
    def name(self) -> str:
        """The format's name, as shown to people."""

    def claims(self, paths: Sequence[str]) -> frozenset[str]:
        """Return which of these files belong to a folder of this format; none if it is not there."""

    def logs(self, files: Sequence[Upload]) -> Logs:
        """Read the runs of the files claimed; UserError if they are broken."""


def table_of(logs: Logs, format: str, file: str, complete: Callable[[LoggedRun], LoggedRun] | None = None) -> RawTable:
    """Turn logs into a table, with parameters counted from each run's shape where it states none.

    Parameters
    ----------
    logs : Logs
    format, file : str
        For people.
    complete : callable, optional
        What a reader adds to each run once its settings are known.

    Raises
    ------
    UserError
        If no run logged a number.
    """
    counted = [with_counts(run, file) for run in logs.runs]
    runs = tuple(complete(run) if complete else run for run, _ in counted)
    notes = dict.fromkeys(note for _, found in counted for note in found)
    return to_raw(replace(logs, runs=runs, notes=(*logs.notes, *notes)), format, file)


def extension_bonus(filename: str, *extensions: str) -> float:
    """Return the bonus for a file name that ends in one of these extensions."""
    return EXTENSION_BONUS if PurePath(filename).suffix.lower() in extensions else 0.0
