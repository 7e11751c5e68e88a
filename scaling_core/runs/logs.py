"""Logs of training: many metrics at many steps, and the settings of each run, on their way to a file's table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.runs.aliases import ALIASES, alias_rank, matches_by_words
from scaling_core.runs.counters import filled_counts
from scaling_core.runs.raw import RawTable, rejected_frame
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar, setting_columns, step_counter, tokens_by_step

#: Columns of ``LoggedRun.rows`` that are no metrics: where in training, when (seconds since 1970), where in the file.
STEP, WALL_TIME, LINE = "step", "wall_time", "line"
#: More metrics than this are mostly norms of single layers.
MAX_METRICS = 1_500
_NOISE = ("system/", "system.", "gradients/", "_wandb")
#: What a second evaluation at the same step measures anew, though nothing was trained in between.
_SPEEDS = ("_runtime", "_per_second")
_DONE = ("finished", "")


@dataclass(frozen=True)
class LoggedRun:
    """What one run logged.

    Attributes
    ----------
    name : str
    rows : pandas.DataFrame
        One row a logged step: ``step``; ``wall_time`` (seconds since 1970) and ``line`` (record of the file, from 1)
        where known; every other column is a metric, float64 with NaN where it was not logged. A step may have
        several rows, as where training and validation are logged apart.
    config : dict
        Settings, nested ones flattened with dots.
    state : str
        ``finished``, ``failed``, ``running``, as the tracker says; "" where it says nothing.
    file : str
        The file it came from.
    """

    name: str
    rows: pd.DataFrame
    config: dict[str, Scalar] = field(default_factory=dict)
    state: str = ""
    file: str = ""


@dataclass(frozen=True)
class Logs:
    """What a file of logs holds: its runs, what could not be read (line, reason, content), and notes."""

    runs: tuple[LoggedRun, ...]
    notes: tuple[Note, ...] = ()
    rejected: tuple[tuple[int, str, str], ...] = ()


def joined(runs: Sequence[LoggedRun], name: str) -> LoggedRun:
    """Join what several files logged of one run; the first state and settings win."""
    config = {key: value for run in reversed(runs) for key, value in run.config.items()}
    state = next((run.state for run in runs if run.state), "")
    rows = pd.concat([run.rows for run in runs], ignore_index=True)
    return LoggedRun(name, rows, config, state, next((run.file for run in runs if len(run.rows)), ""))


def to_raw(logs: Logs, format: str, file: str) -> RawTable:
    """Turn logs into one table: a row a run and logged step, its metrics, and the settings of its run.

    Rows of the same run and step become one. Metrics that hold nothing, never change, or watch the machine are left
    out, as are settings of text that all runs share. ``tokens`` is added where the settings give tokens a step, and
    ``state`` where a run did not finish.

    Raises
    ------
    UserError
        If no run logged a number at any step.
    """
    runs, again = _merged([run for run in logs.runs if len(run.rows)])
    if not runs:
        raise UserError("The log holds no numbers at any step.", where=file, fix="Give the log of a run that trained.")
    runs = _named_apart(runs)
    lengths = np.array([len(run.rows) for run in runs])
    rows = pd.concat([run.rows for run in runs], ignore_index=True)
    metrics, left_out = _metrics(rows)
    columns: dict[str, object] = {
        "run": pd.Series(np.repeat(np.array([run.name for run in runs], dtype=object), lengths), dtype="str"),
        STEP: rows[STEP],
    }
    if WALL_TIME in rows and "seconds" not in metrics:
        columns["seconds"] = _since_start(rows[WALL_TIME], lengths)
    columns |= {name: rows[name] for name in metrics}
    steps = rows[STEP].to_numpy(dtype=float)
    counts = [name for name in metrics if is_known(name, "tokens", "flops")]
    counted, count_notes = filled_counts(rows, steps, lengths, counts, file)
    columns |= counted
    if any(run.state.lower() not in _DONE for run in runs):
        columns["state"] = pd.Series(np.repeat([run.state.lower() for run in runs], lengths), dtype="str")
    configs = [run.config for run in runs]
    settings, setting_notes = setting_columns(configs, lengths, tuple(columns), file)
    counted_steps, counter = _optimizer_steps(rows, steps, lengths, metrics)
    tokens, token_notes = tokens_by_step(configs, counted_steps, lengths, tuple(columns), file, counter)
    notes = (*logs.notes, *_state_notes(runs, file), *_left_out_notes(left_out, again, file))
    return RawTable(
        frame=pd.DataFrame(columns | tokens | settings),
        line=_lines(rows),
        rejected=rejected_frame(file, logs.rejected),
        format=format,
        notes=(*notes, *count_notes, *setting_notes, *token_notes),
        is_log=True,
        settings=frozenset(settings),
    )


def is_known(name: str, *canonical: str) -> bool:
    """Whether a column's name speaks for one of these canonical columns; for any of them if none is given."""
    return any(alias_rank(c, name) is not None or matches_by_words(c, name) for c in canonical or (*ALIASES, "loss"))


def _merged(runs: Sequence[LoggedRun]) -> tuple[list[LoggedRun], int]:
    """Make one row of each step of each run, ordered by step; count the values that a later one replaced."""
    merged, again = [], 0
    for run in runs:
        rows = run.rows[np.isfinite(run.rows[STEP].to_numpy(dtype=float))]
        if rows[STEP].duplicated().any():
            kept = rows.groupby(STEP, sort=True, as_index=False).last()
            values = [c for c in rows.columns if c not in (STEP, WALL_TIME, LINE) and not c.endswith(_SPEEDS)]
            earlier = rows.groupby(STEP, sort=True, as_index=False).first()
            # A value that is repeated as it was, as by checkpoints that hold the same history, replaces nothing.
            again += int(np.sum((earlier[values] != kept[values]).to_numpy() & kept[values].notna().to_numpy()))
            rows = kept
        elif not rows[STEP].is_monotonic_increasing:
            rows = rows.sort_values(STEP, ignore_index=True)
        if len(rows):
            merged.append(replace(run, rows=rows))
    return merged, again


def _named_apart(runs: Sequence[LoggedRun]) -> list[LoggedRun]:
    """Give every run a name of its own: a second ``gpt`` becomes ``gpt (2)``."""
    taken = {run.name for run in runs}
    seen: Counter[str] = Counter()
    apart = []
    for position, run in enumerate(runs, start=1):
        name = run.name.strip() or f"run {position}"
        seen[name] += 1
        free, number = name, seen[name]
        while number > 1 and (free := f"{name} ({number})") in taken:
            number += 1
        taken.add(free)
        apart.append(replace(run, name=free))
    return apart


def _metrics(rows: pd.DataFrame) -> tuple[list[str], dict[str, list[str]]]:
    """Choose the metrics worth keeping; those left out come by reason."""
    left_out: dict[str, list[str]] = {}
    kept = []
    for name in rows.columns:
        if name in (STEP, WALL_TIME, LINE):
            continue
        reason = _why_left_out(name, rows[name])
        left_out.setdefault(reason, []).append(name) if reason else kept.append(name)
    if len(kept) > MAX_METRICS:
        filled = rows[kept].notna().to_numpy().sum(axis=0)
        order = [kept[i] for i in sorted(range(len(kept)), key=lambda i: (not is_known(kept[i]), -filled[i]))]
        left_out[f"past the first {MAX_METRICS:,} metrics"] = order[MAX_METRICS:]
        chosen = set(order[:MAX_METRICS])
        kept = [name for name in kept if name in chosen]
    return kept, left_out


def _why_left_out(name: str, column: pd.Series) -> str:
    if name.startswith(_NOISE):
        return "about the machine"
    values = column.to_numpy(dtype=float)
    filled = values[~np.isnan(values)]
    if not len(filled):
        return "never a number"
    same = len(filled) > 1 and bool((filled == filled[0]).all())
    return "always the same" if same and not is_known(name) else ""


def _optimizer_steps(
    rows: pd.DataFrame, steps: NDArray[np.float64], lengths: NDArray[np.int64], metrics: Sequence[str]
) -> tuple[NDArray[np.float64], str]:
    """Return the optimizer's steps at each row, and what counted them.

    A tracker's own step may count calls of its log, where the optimizer's is logged beside it, as ``iter``. A run that
    did not log it, or in which it falls, has its steps.
    """
    counter = step_counter(metrics)
    if not counter:
        return steps, STEP
    filled, _ = filled_counts(rows, steps, lengths, [counter], "")
    counted = filled[counter].to_numpy(dtype=float)
    bounds = [*pairwise(np.concatenate([[0], np.cumsum(lengths)]))]
    grows = [_grows(counted[first:end]) for first, end in bounds]
    parts = [(counted if own else steps)[first:end] for own, (first, end) in zip(grows, bounds, strict=True)]
    return np.concatenate(parts), counter if any(grows) else STEP


def _grows(counts: NDArray[np.float64]) -> bool:
    """Whether there are counts, and none is below the one before, as where a counter begins anew with each epoch."""
    known = counts[np.isfinite(counts)]
    return len(known) > 0 and bool((np.diff(known) >= 0).all())


def _since_start(wall_time: pd.Series, lengths: NDArray[np.int64]) -> pd.Series:
    """Seconds since each run's first row."""
    run = pd.Series(np.repeat(np.arange(len(lengths)), lengths))
    return wall_time - wall_time.groupby(run).transform("min")


def _lines(rows: pd.DataFrame) -> NDArray[np.int64]:
    place = np.arange(1, len(rows) + 1, dtype=np.int64)
    if LINE not in rows:
        return place
    given = rows[LINE].to_numpy(dtype=float)
    return np.where(np.isnan(given), place, np.nan_to_num(given)).astype(np.int64)


def _state_notes(runs: Sequence[LoggedRun], file: str) -> list[Note]:
    """Name the runs that did not finish: their last row is not what training would have reached."""
    by_state: dict[str, list[str]] = {}
    for run in runs:
        if run.state.lower() not in _DONE:
            by_state.setdefault(run.state.lower(), []).append(run.name)
    return [
        Note("warning", f"{_counted(names, 'run')} {'is' if len(names) == 1 else 'are'} marked as {state}.", file)
        for state, names in by_state.items()
    ]


def _left_out_notes(left_out: Mapping[str, list[str]], again: int, file: str) -> list[Note]:
    notes = [
        Note("info", f"{_counted(names, 'metric')} left out: {reason}.", file) for reason, names in left_out.items()
    ]
    if again:
        text = f"{again:,} values replaced another of the same step, as after a restart: the later was kept."
        notes.append(Note("info", text, file))
    return notes


def _counted(names: Sequence[str], noun: str) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:5]) + (" and others" if len(names) > 5 else "")
    return f"{len(names):,} {noun}{'s' * (len(names) > 1)} ({shown})"
