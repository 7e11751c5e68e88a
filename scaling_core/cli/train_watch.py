"""Watching a ladder from a terminal: a line for each run that ends, the law as it grows, a bar on a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TextIO

from scaling_core.cli.train_report import seconds
from scaling_core.errors import UserError
from scaling_core.jobs.launch import ensure_supervisor
from scaling_core.jobs.model import FINAL, Job
from scaling_core.jobs.store import Queue
from scaling_core.jobs.view import glance, machine
from scaling_core.training.forecast import law_of
from scaling_core.training.ladder_spec import ForecastSpec
from scaling_core.training.outcomes import fitted
from scaling_core.units import format_number

_LOOK_S = 0.5
#: Seconds between two looks whether the supervisor still lives.
_SEE_TO_S = 5.0
_BAR = 24


def watch(queue: Queue, ladder: int, how: ForecastSpec, out: TextIO = sys.stdout) -> bool:
    """Follow a ladder until every job has ended. Returns whether all ended well.

    A terminal gets a bar that is drawn over; anything else a line for each run that ends, and nothing else.
    """
    folder, began = queue.ladder(ladder).folder, time.monotonic()
    told: set[int] = set()
    scatter, seen_to = "", began
    bar = Bar(out)
    while True:
        jobs = queue.jobs(ladder)
        for job in jobs:
            if job.state in FINAL and job.id not in told:
                told.add(job.id)
                said = law_so_far(folder, how) if job.kind == "train" else ""
                bar.line(_ended(job, time.monotonic() - began, said if said != scatter else ""))
                scatter = said
        seen = glance(jobs, machine(queue).slots)
        if seen.over:
            bar.clear()
            return all(job.state == "done" for job in jobs)
        bar.draw(seen.progress, seen.seconds_left, [job.name for job in jobs if job.state == "running"])
        if time.monotonic() - seen_to > _SEE_TO_S:
            ensure_supervisor(queue.home)
            seen_to = time.monotonic()
        time.sleep(_LOOK_S)


def _ended(job: Job, passed: float, law: str) -> str:
    loss = f"  loss {format_number(job.run.result['loss'], 4)}" if job.run.result and "loss" in job.run.result else ""
    why = f": {job.message}" if job.message and job.state != "done" else ""
    return f"{passed:6.0f} s  {job.state:<9} {job.name}{loss}{why}{f'  [{law}]' if law else ''}"


def law_so_far(folder: Path, how: ForecastSpec) -> str:
    """The law of the runs that have ended, in a few words; empty before there is one."""
    try:
        fit = law_of(fitted(folder), ForecastSpec(how.law, how.objective, how.min_tokens, draws=0)).fit
    except UserError:
        return ""
    values = " ".join(f"{name} {format_number(value, 3)}" for name, value in fit.parameters.items())
    doubt = "" if fit.certificate.grade == "good" else f", {fit.certificate.grade}"
    return f"law of {fit.n_points}: {values}, rms {100 * fit.scatter():.2f}%{doubt}"


class Bar:
    """A bar of progress on a terminal; on anything else nothing but whole lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = 0
        self._is_terminal = out.isatty()

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        print(text, file=self._out, flush=True)

    def draw(self, share: float, left_s: float | None, names: list[str]) -> None:
        """Draw the bar over the last one."""
        if not self._is_terminal:
            return
        full = round(_BAR * share)
        left = f", {seconds(left_s)} left" if left_s else ""
        running = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        text = f"[{'#' * full}{'.' * (_BAR - full)}] {100 * share:3.0f}%{left}  {running}"[:110]
        self._out.write("\r" + text.ljust(self._drawn))
        self._out.flush()
        self._drawn = len(text)

    def clear(self) -> None:
        """Wipe the bar."""
        if self._drawn:
            self._out.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0
