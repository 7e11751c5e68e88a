"""One SQLite file in WAL mode that several processes of one machine use at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaling_core.errors import UserError

#: Seconds that a statement waits for another process to let go of the file.
PATIENCE_S = 10.0


@contextmanager
def connected(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Open the file for one transaction, committed at the end and undone by an exception.

    Parameters
    ----------
    path : Path
        Made, with its folder, where it does not exist.
    schema : str
        Statements that make what is not there yet.

    Raises
    ------
    UserError
        If the file cannot be read or written.
    """
    try:
        db = opened(path, schema)
    except (OSError, sqlite3.Error) as error:
        raise cannot(path, error) from error
    try:
        with db:
            yield db
    except sqlite3.Error as error:
        raise cannot(path, error) from error
    finally:
        db.close()


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """Open the file to keep it open; the caller closes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=PATIENCE_S)
    try:
        _write_ahead(db)
        db.executescript(schema)
    except BaseException:
        db.close()
        raise
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch the file to WAL once; SQLite does not wait for the lock that this takes, so we do."""
    deadline = time.monotonic() + PATIENCE_S
    while db.execute("pragma journal_mode").fetchone()[0] != "wal":
        try:
            db.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def cannot(path: Path, error: Exception) -> UserError:
    """What a person is told where the file cannot be used."""
    return UserError(
        f"The workspace cannot be used ({error}).",
        where=str(path),
        fix="Free disk space, or set SCALING_HOME to a folder that can be written.",
    )
