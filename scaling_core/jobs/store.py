"""The queue as a person, a page and the command line see it: ask, look, and say what is wanted.

``SCALING_HOME/jobs.sqlite`` is an index of run folders. Only this module, ``index`` and the supervisor write it; a
worker never does.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from scaling_core.database import connected
from scaling_core.errors import UserError
from scaling_core.jobs.asked import check_requests, make_folders
from scaling_core.jobs.model import ACTIVE, FINAL, Event, Job, JobRequest, JobState, Ladder, Limits
from scaling_core.jobs.rows import SCHEMA, job_of, marks, move
from scaling_core.training.folder import RunFolder, Wanted

#: Starts of a job that keeps being found dead.
ATTEMPTS = 3


class Queue:
    """The jobs of one workspace folder; several processes may use it at once.

    Parameters
    ----------
    home : Path
        The workspace.
    wall : callable
        The time of day in seconds since 1970. It is written down and never decided by.
    """

    def __init__(self, home: Path, *, wall: Callable[[], float] = time.time) -> None:
        self.home = home
        self.path = home / "jobs.sqlite"
        self._wall = wall

    # ---- ask

    def add_ladder(
        self,
        name: str,
        jobs: Sequence[JobRequest],
        owner: str = "",
        meta: Mapping[str, Any] | None = None,
        *,
        executor: str = "local",
        max_attempts: int = ATTEMPTS,
    ) -> int:
        """Make the run folders of some jobs and queue them, all or none.

        Parameters
        ----------
        name : str
        jobs : sequence of JobRequest
        owner : str
            Whose jobs they are, for the limit on one owner.
        meta : mapping
            JSON values kept with the ladder, in its ``ladder.json`` too.
        executor : str
            A name in ``scaling_core.jobs.executors.EXECUTORS``.
        max_attempts : int
            Starts of a job that keeps being found dead.

        Returns
        -------
        int
            The ladder's id.

        Raises
        ------
        UserError
            If a name is taken twice or no name for a folder, a kind or executor is unknown, or needs name no job or
            run in a circle; or if the folders cannot be written.
        """
        check_requests(jobs, executor)
        now = self._wall()
        folder = make_folders(self.home / "ladders", name, jobs, owner, dict(meta or {}), executor, now)
        try:
            with self._open() as db:
                db.execute("begin immediate")
                return insert_ladder(db, name, folder, jobs, owner, dict(meta or {}), executor, max_attempts, now)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # nobody is told of it, so nothing of it is to be left
            raise

    # ---- look

    def ladders(self) -> list[Ladder]:
        """Every ladder, newest first."""
        if not self.path.exists():
            return []
        with self._open() as db:
            rows = db.execute("select id, name, folder, owner, created, meta from ladder order by id desc").fetchall()
        return [Ladder(i, n, self.home / f, o, c, json.loads(m)) for i, n, f, o, c, m in rows]

    def newest(self) -> int:
        """The id of the newest ladder; 0 where there is none. Light: for pages that look whether something changed."""
        if not self.path.exists():
            return 0
        with self._open() as db:
            return int(db.execute("select coalesce(max(id), 0) from ladder").fetchone()[0])

    def ladder(self, ladder: int) -> Ladder:
        """Return one ladder.

        Raises
        ------
        UserError
            If there is none of that id.
        """
        for found in self.ladders():
            if found.id == ladder:
                return found
        raise UserError(f"There is no ladder {ladder}.", fix="Look at the list of ladders.")

    def jobs(self, ladder: int | None = None, states: Sequence[JobState] = ()) -> list[Job]:
        """Every job, or those of one ladder or in some states, in the order in which they were asked for."""
        if not self.path.exists():
            return []
        text, values = "select * from job where 1", list[object]()
        if ladder is not None:
            text, values = f"{text} and ladder = ?", [ladder]
        if states:
            text, values = f"{text} and state in ({marks(states)})", [*values, *states]
        with self._open() as db:
            db.row_factory = sqlite3.Row
            return [job_of(self.home, row) for row in db.execute(f"{text} order by id", values)]

    def job(self, job: int) -> Job:
        """Return one job.

        Raises
        ------
        UserError
            If there is none of that id.
        """
        with self._open() as db:
            db.row_factory = sqlite3.Row
            row = db.execute("select * from job where id = ?", (job,)).fetchone()
        if row is None:
            raise UserError(f"There is no job {job}.", fix="Look at the list of jobs.")
        return job_of(self.home, row)

    def events(self, job: int) -> list[Event]:
        """What happened to a job, in order."""
        with self._open() as db:
            rows = db.execute(
                "select at, who, was, became, reason from event where job = ? order by id", (job,)
            ).fetchall()
        return [Event(*row) for row in rows]

    def needs(self, job: int) -> list[tuple[int, str, bool]]:
        """What a job waits for: (job, "done" | "ended" | "kept-<tokens>", whether it is there)."""
        with self._open() as db:
            rows = db.execute("select needs_job, what, met from need where job = ?", (job,)).fetchall()
        return [(needed, what, bool(met)) for needed, what, met in rows]

    # ---- say what is wanted

    def want(self, jobs: Sequence[int], wanted: Wanted, who: str = "person") -> None:
        """Pause, run or cancel jobs.

        A queued job follows at once. One that an executor has is told through its folder and follows at its next
        step; until then ``wanted`` and ``state`` differ. One that has ended stays as it is.
        """
        with self._open() as db:
            db.execute("begin immediate")
            told = [row for row in self._chosen(db, jobs) if row["state"] not in FINAL]
            for row in told:
                self._want(db, row, wanted, who)
        for row in told:
            RunFolder(self.home / row["folder"]).want(wanted)

    def retry(self, jobs: Sequence[int], who: str = "person") -> None:
        """Queue jobs again that failed, were cancelled or interrupted; they go on from their last checkpoint.

        Jobs that failed only because these did are queued with them.
        """
        with self._open() as db:
            db.execute("begin immediate")
            told = [r for r in self._with_dependents(db, jobs) if r["state"] in ("failed", "cancelled", "interrupted")]
            for row in told:
                move(db, row, "queued", who, "tried again", self._wall(), wanted="run", attempts=0, ended=None, ref="")
        for row in told:
            RunFolder(self.home / row["folder"]).want("run")

    def set_priority(self, jobs: Sequence[int], priority: int, who: str = "person") -> None:
        """Change which of the queued jobs goes first."""
        with self._open() as db:
            db.execute("begin immediate")
            for row in self._chosen(db, jobs):
                move(db, row, row["state"], who, f"priority {row['priority']} → {priority}", self._wall(),
                     priority=priority, message=row["message"])  # fmt: skip

    # ---- limits and settings

    @property
    def limits(self) -> Limits:
        """What the queue may use."""
        kept = self.setting("limits") or {}
        return Limits(**{f.name: kept[f.name] for f in fields(Limits) if f.name in kept})

    def set_limits(self, limits: Limits) -> None:
        """Change what the queue may use; jobs that run go on.

        Raises
        ------
        UserError
            If a limit is negative.
        """
        if low := [name for name, value in asdict(limits).items() if value < (name == "per_gpu")]:
            raise UserError(f"“{low[0]}” is too small.", fix="Give 0 or more; 0 sets no limit.")
        self.set_setting("limits", asdict(limits))

    def setting(self, name: str) -> Any:
        """A setting kept with the queue ("limits", "slurm", "ray", "held"), or None."""
        if not self.path.exists():
            return None
        with self._open() as db:
            row = db.execute("select value from setting where name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a setting (JSON types)."""
        with self._open() as db:
            db.execute("insert or replace into setting values (?, ?)", (name, json.dumps(value)))

    # ---- inside

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return connected(self.path, SCHEMA)

    def _chosen(self, db: sqlite3.Connection, jobs: Sequence[int]) -> list[sqlite3.Row]:
        db.row_factory = sqlite3.Row
        chosen = json.dumps(list(jobs))
        return db.execute(
            "select * from job where id in (select value from json_each(?)) order by id", (chosen,)
        ).fetchall()

    def _with_dependents(self, db: sqlite3.Connection, jobs: Sequence[int]) -> list[sqlite3.Row]:
        """Add the jobs that never ran and wait, directly or not, for one of these."""
        text = """
            with recursive again(id) as (
                select value from json_each(?)
                union select need.job from need join again on need.needs_job = again.id
                    join job on job.id = need.job where job.state = 'failed' and job.attempts = 0 and not need.met
            ) select * from job where id in again order by id"""
        db.row_factory = sqlite3.Row
        return db.execute(text, (json.dumps(list(jobs)),)).fetchall()

    def _want(self, db: sqlite3.Connection, row: sqlite3.Row, wanted: Wanted, who: str) -> None:
        state: JobState = row["state"]
        if state not in ACTIVE:
            state = {"pause": "paused", "run": "queued", "cancel": "cancelled"}[wanted]  # type: ignore[assignment]
        if (state, wanted) == (row["state"], row["wanted"]):
            return
        changes: dict[str, Any] = {"wanted": wanted}
        if state == "cancelled":
            changes["ended"] = self._wall()
        if state == "queued":
            changes["attempts"] = 0
        move(db, row, state, who, f"wanted: {wanted}", self._wall(), **changes)


def insert_ladder(
    db: sqlite3.Connection,
    name: str,
    folder: Path,
    jobs: Sequence[JobRequest],
    owner: str,
    meta: Mapping[str, Any],
    executor: str,
    max_attempts: int,
    now: float,
) -> int:
    """Write a ladder whose folders are made; returns its id."""
    home = folder.parents[1]
    ladder = db.execute(
        "insert into ladder (name, folder, owner, created, meta) values (?, ?, ?, ?, ?)",
        (name, str(folder.relative_to(home)), owner, now, json.dumps(meta)),
    ).lastrowid
    ids: dict[str, int] = {}
    for job in jobs:
        ids[job.name] = db.execute(
            "insert into job (ladder, name, kind, folder, priority, owner, executor, max_attempts, estimate_s, created)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (ladder, job.name, job.kind, str((folder / job.name).relative_to(home)), job.priority, owner, executor,
             max_attempts, job.estimate_s, now),
        ).lastrowid or 0  # fmt: skip
        db.execute("insert into event (job, at, who, was, became, reason) values (?, ?, 'person', '', 'queued', ?)",
                   (ids[job.name], now, "asked for"))  # fmt: skip
    db.executemany(
        "insert into need (job, needs_job, what) values (?, ?, ?)",
        [(ids[job.name], ids[needed], what) for job in jobs for needed, what in job.needs],
    )
    return int(ladder or 0)
