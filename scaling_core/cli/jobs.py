"""``jobs``: look after the queue of training jobs."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from scaling_core.cli.output import columns, json_text, show
from scaling_core.errors import UserError
from scaling_core.jobs.launch import ensure_supervisor
from scaling_core.jobs.model import FINAL, Job
from scaling_core.jobs.reindex import reindex
from scaling_core.jobs.starts import started_from
from scaling_core.jobs.store import Queue
from scaling_core.jobs.view import log_text, machine, why_waiting
from scaling_core.planning.figures import duration
from scaling_core.runs import home
from scaling_core.units import format_count, format_number

_DAY_S = 86_400.0


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("jobs", help="look after the queue of training jobs")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the jobs that have not ended, and why they wait")
    listing.add_argument("--all", action="store_true", help="those that have ended too")
    listing.add_argument("--ladder", metavar="NAME", help="of one ladder, by its name or number")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=_list)
    for name, text, act in (
        ("pause", "save and stop; the slot is free for others", _wanting("pause")),
        ("resume", "go on where a pause stopped", _wanting("run")),
        ("cancel", "save and stop for good", _wanting("cancel")),
        ("retry", "queue again what failed or was cancelled", Queue.retry),
    ):
        action = actions.add_parser(name, help=text)
        _add_chosen(action)
        action.set_defaults(command=_acting(act))
    priority = actions.add_parser("priority", help="change which goes first; higher is earlier")
    priority.add_argument("priority", type=int, metavar="NUMBER")
    _add_chosen(priority)
    priority.set_defaults(command=_prioritise)
    again = actions.add_parser("reindex", help="take up run folders that the queue does not know, as after a lost file")
    again.set_defaults(command=_reindex)
    logs = actions.add_parser("logs", help="show what a job printed, and what happened to it")
    logs.add_argument("job", type=int, metavar="JOB")
    logs.set_defaults(command=_logs)


def _add_chosen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", type=int, nargs="*", metavar="JOB", help="numbers of jobs, as `jobs list` shows them")
    parser.add_argument("--ladder", metavar="NAME", help="all jobs of a ladder, by its name or number")


def _list(options: argparse.Namespace) -> None:
    queue = Queue(home())
    jobs = queue.jobs(_ladder(queue, options.ladder))
    if not options.all:
        jobs = [job for job in jobs if job.state not in FINAL]
    if options.json:
        show(json_text([_record(queue, job) for job in jobs]))
        return
    now = machine(queue)
    watched = "a supervisor sees to them" if now.supervisor else "no supervisor runs"
    show(f"{now.running} running, {now.waiting} queued, {now.slots} slots; {watched}. {now.held}".strip())
    titles = ("job", "name", "state", "done", "loss", "tokens/s", "left", "device", "")
    if jobs:
        show("\n".join(columns([titles, *(_row(queue, job) for job in jobs)], left=(1, 2, 7, 8))))


def _record(queue: Queue, job: Job) -> dict[str, Any]:
    origin = started_from(job.folder) if job.kind == "train" else ""
    return {**asdict(job), "waits": why_waiting(queue, job), "started_from": origin}


def _row(queue: Queue, job: Job) -> tuple[str, ...]:
    wanted = f" ({job.wanted} wanted)" if job.state == "running" and job.wanted != "run" else ""
    left = job.seconds_left
    return (
        str(job.id), job.name, f"{job.state}{wanted}", f"{100 * job.progress:.0f}%",
        "" if job.loss is None else format_number(job.loss, 4),
        format_count(job.tokens_per_second) if job.tokens_per_second else "",
        duration(left / _DAY_S) if left and job.state not in FINAL else "",
        job.device, "; ".join(filter(None, (_origin(job), job.message or why_waiting(queue, job)))),
    )  # fmt: skip


def _origin(job: Job) -> str:
    """Whose weights it began with, where they are another run's."""
    origin = started_from(job.folder) if job.kind == "train" else ""
    return f"from {origin}" if origin else ""


def _wanting(wanted: Any) -> Callable[[Queue, list[int]], None]:
    return lambda queue, jobs: queue.want(jobs, wanted)


def _acting(act: Callable[[Queue, list[int]], None]) -> Callable[[argparse.Namespace], None]:
    def command(options: argparse.Namespace) -> None:
        queue = Queue(home())
        jobs = _chosen(queue, options)
        act(queue, jobs)
        _see_to(queue)
        _say(queue, jobs)

    return command


def _prioritise(options: argparse.Namespace) -> None:
    queue = Queue(home())
    jobs = _chosen(queue, options)
    queue.set_priority(jobs, options.priority)
    _say(queue, jobs)


def _see_to(queue: Queue) -> None:
    if queue.jobs(states=("queued", "interrupted", "starting", "running")):
        ensure_supervisor(queue.home)


def _say(queue: Queue, jobs: list[int]) -> None:
    for job in map(queue.job, jobs):
        show(f"{job.id}  {job.name}: {job.state}, wanted {job.wanted}, priority {job.priority}")


def _reindex(options: argparse.Namespace) -> None:
    queue = Queue(home())
    taken, wrong = reindex(queue.home)
    for ladder in taken:
        counts = Counter(job.state for job in queue.jobs(ladder.id))
        show(f"{ladder.id}  {ladder.name}: {', '.join(f'{n} {state}' for state, n in counts.items())}")
    for error in wrong:
        show(f"left out: {error.line()}")
    show(f"{len(taken)} ladder{'s' * (len(taken) != 1)} taken up.")
    _see_to(queue)


def _logs(options: argparse.Namespace) -> None:
    queue = Queue(home())
    job = queue.job(options.job)
    for event in queue.events(job.id):
        at = datetime.fromtimestamp(event.at).strftime("%Y-%m-%d %H:%M:%S")
        moved = f"{event.was} → {event.became}" if event.was != event.became else event.became
        show(f"{at}  {event.who}: {moved.removeprefix(' → ')}{f' ({event.reason})' if event.reason else ''}")
    show(f"\n{job.run.log}:\n{log_text(job)}".rstrip())


def _chosen(queue: Queue, options: argparse.Namespace) -> list[int]:
    """The jobs that a person named, checked to be there."""
    if options.ladder is not None:
        return [job.id for job in queue.jobs(_ladder(queue, options.ladder))]
    if not options.jobs:
        raise UserError("No job is named.", fix="Give numbers of jobs, or --ladder NAME.")
    return [queue.job(job).id for job in options.jobs]


def _ladder(queue: Queue, name: str | None) -> int | None:
    """The ladder of a name (the newest where several have it) or number."""
    if name is None:
        return None
    for ladder in queue.ladders():
        if name in (ladder.name, str(ladder.id), ladder.folder.name):
            return ladder.id
    known = ", ".join(ladder.name for ladder in queue.ladders()[:8]) or "none"
    raise UserError(f"There is no ladder “{name}”.", fix=f"Known: {known}.")
