"""The tables of the index, and how a job's row is read and moved from state to state."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from scaling_core.jobs.model import FINAL, Job

#: Folders are kept relative to the workspace, so that it can be moved. ``beat`` is the last beat in the job's folder
#: when it was claimed: only a status with a later one speaks of this attempt.
SCHEMA = """
create table if not exists ladder (
    id integer primary key, name text not null, folder text not null unique, owner text not null,
    created real not null, meta text not null
);
create table if not exists job (
    id integer primary key, ladder integer not null references ladder, name text not null, kind text not null,
    folder text not null unique, priority integer not null, owner text not null,
    executor text not null, ref text not null default '',
    state text not null default 'queued', wanted text not null default 'run',
    attempts integer not null default 0, max_attempts integer not null, beat integer not null default 0,
    device text not null default '', message text not null default '', progress real not null default 0,
    tokens integer not null default 0, loss real, tokens_per_second real, seconds_left real,
    estimate_s real not null, created real not null, started real, ended real
);
create index if not exists job_next on job (state, priority desc, id);
create index if not exists job_ladder on job (ladder);
create table if not exists need (
    job integer not null references job, needs_job integer not null references job, what text not null,
    met integer not null default 0, primary key (job, needs_job, what)
) without rowid;
create table if not exists event (
    id integer primary key, job integer not null references job, at real not null, who text not null,
    was text not null, became text not null, reason text not null
);
create index if not exists event_job on event (job);
create table if not exists setting (name text primary key, value text not null);
"""
_COLUMNS = [field.name for field in fields(Job)]


def job_of(home: Path, row: sqlite3.Row) -> Job:
    """A row as a ``Job``."""
    values = {name: row[name] for name in _COLUMNS}
    values["folder"] = home / row["folder"]
    values["seconds_left"] = _seconds_left(row)
    return Job(**values)


def _seconds_left(row: sqlite3.Row) -> float | None:
    if row["state"] in FINAL:
        return 0.0
    if row["state"] == "running" and row["seconds_left"] is not None:
        return float(row["seconds_left"])
    return row["estimate_s"] * (1.0 - row["progress"]) if row["estimate_s"] else None


def move(
    db: sqlite3.Connection, row: sqlite3.Row, state: str, who: str, reason: str, now: float, **changes: Any
) -> None:
    """Put a job into a state, change other columns with it, and write down who did it and why."""
    changes = {"message": "", **changes, "state": state}
    text = ", ".join(f"{name} = ?" for name in changes)
    db.execute(f"update job set {text} where id = ?", (*changes.values(), row["id"]))
    db.execute(
        "insert into event (job, at, who, was, became, reason) values (?, ?, ?, ?, ?, ?)",
        (row["id"], now, who, row["state"], state, reason),
    )


def marks(values: Sequence[object]) -> str:
    """As many question marks as values."""
    return ", ".join("?" * len(values))
