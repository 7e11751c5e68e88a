"""Named records of the workspace: saved fits, scenarios. One SQLite file in WAL mode under ``SCALING_HOME``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scaling_core.database import connected
from scaling_core.errors import UserError

_SCHEMA = """
create table if not exists record (
    kind text not null, name text not null, saved text not null, data text not null, primary key (kind, name)
)
"""
_MAX_NAME = 80


@dataclass(frozen=True)
class Record:
    """One saved thing: what kind it is, its name, when it was saved (ISO 8601, UTC) and its data."""

    kind: str
    name: str
    saved: str
    data: Any


class Records:
    """Records of one workspace folder; several processes may use it at once."""

    def __init__(self, home: Path) -> None:
        self._path = home / "records.sqlite"

    def save(self, kind: str, name: str, data: Any) -> Record:
        """Keep ``data`` (JSON types) under a name, in place of what had it before.

        Raises
        ------
        UserError
            If the name is empty or long, or the folder cannot be written.
        """
        name = name.strip()
        if not 0 < len(name) <= _MAX_NAME:
            raise UserError(
                "A name is needed." if not name else f"That name is longer than {_MAX_NAME} signs.",
                fix=f"Give one of 1 to {_MAX_NAME} signs.",
            )
        record = Record(kind, name, datetime.now(UTC).isoformat(timespec="seconds"), data)
        with self._open() as db:
            db.execute(
                "insert or replace into record values (?, ?, ?, ?)", (kind, name, record.saved, json.dumps(data))
            )
        return record

    def all(self, kind: str) -> list[Record]:
        """Every record of a kind, newest first."""
        if not self._path.exists():
            return []
        with self._open() as db:
            rows = db.execute(
                "select name, saved, data from record where kind = ? order by saved desc, rowid desc", (kind,)
            ).fetchall()
        return [Record(kind, name, saved, json.loads(data)) for name, saved, data in rows]

    def get(self, kind: str, name: str) -> Record:
        """Return one record.

        Raises
        ------
        UserError
            If there is none of that name.
        """
        for record in self.all(kind):
            if record.name == name:
                return record
        raise UserError(f"Nothing is saved here under “{name}”.", fix="Choose another name.")

    def free_name(self, kind: str, name: str) -> str:
        """The name itself where nothing has it, else the first of “name (2)”, “name (3)” … that is free."""
        taken = {record.name for record in self.all(kind)}
        name = name.strip()
        numbered = (f"{name[: _MAX_NAME - 6]} ({k})" for k in range(2, len(taken) + 3))
        return next(n for n in (name, *numbered) if n not in taken)

    def delete(self, kind: str, name: str) -> None:
        """Forget a record; nothing happens where there is none."""
        with self._open() as db:
            db.execute("delete from record where kind = ? and name = ?", (kind, name))

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return connected(self._path, _SCHEMA)
