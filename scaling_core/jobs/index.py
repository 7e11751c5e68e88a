"""The supervisor's side of the index: claiming jobs, and writing down what became of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaling_core.database import opened
from scaling_core.jobs.model import FINAL, Job, JobState
from scaling_core.jobs.rows import SCHEMA, job_of, marks, move
from scaling_core.training.folder import RunFolder

_WHO = "supervisor"


class Index:
    """A connection kept open by the one supervisor of a workspace."""

    def __init__(self, home: Path, wall: Callable[[], float] = time.time) -> None:
        self.home = home
        self._wall = wall
        self._db = opened(home / "jobs.sqlite", SCHEMA)
        self._db.row_factory = sqlite3.Row
        # A power cut may lose the last moments of the index and nothing of the run folders.
        self._db.execute("pragma synchronous = normal")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def rollback(self) -> None:
        """Undo what an error cut short."""
        self._db.rollback()

    def jobs(self, *states: JobState) -> list[Job]:
        """Jobs in some states, the first to be started first."""
        text = f"select * from job where state in ({marks(states)}) order by priority desc, id"
        return [job_of(self.home, row) for row in self._db.execute(text, states)]

    def has_work(self) -> bool:
        """Whether any job is queued or with an executor."""
        text = "select exists (select 1 from job where state in ('queued', 'interrupted', 'starting', 'running'))"
        return bool(self._db.execute(text).fetchone()[0])

    def executors(self) -> list[str]:
        """The executors of the jobs that are queued and wait for nothing."""
        return [row[0] for row in self._db.execute(f"select distinct executor from job where {_READY}")]

    def claim(self, executor: str, per_owner: int, fits: Callable[[Job], bool] = lambda _: True) -> Job | None:
        """Take the next job for an executor: of highest priority, asked for first, whose owner has a place left.

        Parameters
        ----------
        executor : str
        per_owner : int
            Jobs of one owner at once; 0 sets no limit.
        fits : callable
            Whether there is room for a job. Where there is none, nothing is claimed until there is: smaller jobs that
            went first would keep a large one waiting for ever.
        """
        text = f"""
            select * from job where {_READY} and executor = ?
                and (? = 0 or ? > (select count(*) from job as other
                                   where other.owner = job.owner and other.state in ('starting', 'running')))
            order by priority desc, id limit 1"""
        with self._db:
            self._db.execute("begin immediate")
            row = self._db.execute(text, (executor, per_owner, per_owner)).fetchone()
            if row is None or not fits(job_of(self.home, row)):
                return None
            status, now = RunFolder(self.home / row["folder"]).status, self._wall()
            changes = {"ref": "", "seconds_left": None, "started": row["started"] or now}
            attempt, beat = row["attempts"] + 1, status.beat if status else 0
            move(self._db, row, "starting", _WHO, f"attempt {attempt}", now, attempts=attempt, beat=beat, **changes)
            return job_of(self.home, self._row(row["id"]))

    def refer(self, job: Job, ref: str) -> None:
        """Keep what its executor calls a job."""
        with self._db:
            self._db.execute("update job set ref = ? where id = ?", (ref, job.id))

    def become(self, job: Job, state: JobState, reason: str, **changes: Any) -> None:
        """Put a job into a state, unless it has left the one it was known in."""
        if state in FINAL:
            changes["ended"] = self._wall()
        with self._db:
            self._db.execute("begin immediate")
            row = self._row(job.id)
            if row["state"] == job.state:
                move(self._db, row, state, _WHO, reason, self._wall(), **changes)

    def tell(self, job: Job, **values: Any) -> None:
        """Renew how far a job is."""
        text = ", ".join(f"{name} = ?" for name in values)
        with self._db:
            self._db.execute(f"update job set {text} where id = ?", (*values.values(), job.id))

    def look_at_needs(self) -> None:
        """Tick off needs that are met, and fail the jobs whose needs can no longer be."""
        again = True
        while again:
            again = False
            for need in self._db.execute(_OPEN_NEEDS).fetchall():
                met = self._met(need)
                if met is not None:
                    self._settle_need(need, met)
                    again = again or not met  # what waits for the failed job fails with it

    def _met(self, need: sqlite3.Row) -> bool | None:
        """Whether a need is met; None where it may still be."""
        state, what = need["needed_state"], need["what"]
        if what.startswith("kept-"):
            if (self.home / need["needed_folder"] / "checkpoints" / f"{what}.pt").exists():
                return True
            return False if state in FINAL else None
        if state == "done" or (what == "ended" and state in FINAL):
            return True
        return False if state in FINAL else None

    def _settle_need(self, need: sqlite3.Row, met: bool) -> None:
        key = (need["job"], need["needs_job"], need["what"])
        with self._db:
            self._db.execute("begin immediate")
            if met:
                self._db.execute("update need set met = 1 where job = ? and needs_job = ? and what = ?", key)
                return
            row = self._row(need["job"])
            if row["state"] in ("queued", "paused"):
                was = "ended without it" if need["needed_state"] == "done" else f"was {need['needed_state']}"
                was = was.replace("was failed", "failed")
                why = f"needs “{need['needed_name']}” ({need['what']}), which {was}"
                move(self._db, row, "failed", _WHO, why, self._wall(), message=why, attempts=0, ended=self._wall())

    def _row(self, job: int) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute("select * from job where id = ?", (job,)).fetchone()
        return row


_READY = "state = 'queued' and not exists (select 1 from need where need.job = job.id and not need.met)"
_OPEN_NEEDS = """
    select need.*, needed.state as needed_state, needed.folder as needed_folder, needed.name as needed_name
    from need join job as needed on needed.id = need.needs_job join job on job.id = need.job
    where not need.met and job.state in ('queued', 'paused')
      and (needed.state in ('done', 'failed', 'cancelled') or need.what like 'kept-%')"""
