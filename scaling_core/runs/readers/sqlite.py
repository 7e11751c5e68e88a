"""SQLite databases of strangers: a copy in memory, plain tables only, no functions, and no more time than is set."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from scaling_core.errors import UserError
from scaling_core.runs.progress import tracked

MARK = b"SQLite format 3\x00"
#: Longest time that a database may take, in seconds.
MAX_SECONDS = 60.0
_WAL = slice(18, 20)  # file format for writing and reading: 2 says that a write-ahead log may lie beside the file
_MANY_ROWS = 1_000_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 64 * 2**20,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
_OPERATIONS_BETWEEN_CHECKS = 1_000
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)


@dataclass
class Database:
    """An open copy of a database, of which only plain tables can be read.

    Attributes
    ----------
    tables : dict of str to tuple of str
        Columns of each plain table.
    texts : list of str
        What went wrong in reading, as notes for a person.
    """

    connection: sqlite3.Connection
    file: str
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def rows(self, table: str, columns: Sequence[str], absent: object = None) -> Iterator[tuple[object, ...]]:
        """Yield these columns of every row, ``absent`` where the table lacks a column; what is damaged ends it."""
        known = [column for column in columns if column in self.tables.get(table, ())]
        if not known:
            return
        place = [known.index(column) if column in known else None for column in columns]
        listed = ", ".join(_quoted(column) for column in known)
        try:
            # The names are quoted, and come from the readers.
            # To count them takes a function, and none is allowed: how far it is, is a guess.
            rows = self.connection.execute(f"SELECT {listed} FROM {_quoted(table)}")
            for row in tracked(rows, _MANY_ROWS):
                yield row if len(known) == len(place) else tuple(absent if i is None else row[i] for i in place)
        except _BROKEN as error:
            self.texts.append(f"The table “{table}” could be read only in part: {_why(error)}.")


_BROKEN = (sqlite3.Error, UnicodeError, OverflowError, MemoryError, ValueError)


@contextmanager
def opened(data: bytes, file: str, max_seconds: float = MAX_SECONDS) -> Iterator[Database]:
    """Open a copy of a database in memory; nothing in it can write, run a function, or take longer than allowed.

    Raises
    ------
    UserError
        If it is no sound database.
    """
    connection = sqlite3.connect(":memory:")
    try:
        database = Database(connection, file)
        try:
            _guard(connection, data, max_seconds)
            database.tables = _plain_tables(connection)
        except _BROKEN as error:
            raise UserError(
                f"The SQLite database is broken or cut short ({_why(error)}).",
                where=file,
                fix="Copy it again while nothing writes to it.",
            ) from None
        if data[_WAL] == b"\x02\x02":
            database.texts.append(
                "The newest rows may be missing: they can lie in the “-wal” file beside the database."
            )
        yield database
    finally:
        connection.close()


def _guard(connection: sqlite3.Connection, data: bytes, max_seconds: float) -> None:
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    # A database in memory has no write-ahead log, so its header must not ask for one.
    connection.deserialize(data[: _WAL.start] + b"\x01\x01" + data[_WAL.stop :])
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    deadline = time.monotonic() + max_seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS_BETWEEN_CHECKS)
    connection.set_authorizer(_may)


def _plain_tables(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """List the tables that hold rows themselves, neither views nor virtual ones, with their columns."""
    listed = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    plain = [
        name
        for kind, name, sql in listed
        if kind == "table" and isinstance(sql, str) and sql.lstrip().upper().startswith("CREATE TABLE")
    ]
    return {name: _columns(connection, name) for name in plain}


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """List the columns that hold cells; one that is computed at reading could call any function, at any cost."""
    described = connection.execute(f"PRAGMA table_xinfo({_quoted(table)})")
    return tuple(str(name) for _, name, _, _, _, _, hidden in described if hidden == 0)


def _may(action: int, first: str | None, *_: object) -> int:
    """Allow reading, and asking for the columns of a table; nothing else."""
    allowed = action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo")
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _why(error: BaseException) -> str:
    return "it takes too long" if str(error) == "interrupted" else str(error).rstrip(".")[:200] or type(error).__name__
