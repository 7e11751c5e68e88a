"""Points that a tracker logged one by one, (metric, step, value), laid out as one row a step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.logs import LINE, MAX_METRICS, STEP, WALL_TIME, is_known

#: A row a step and a column a metric may not need more cells than this; the metrics logged least are left out.
MAX_CELLS = 60_000_000


@dataclass
class Points:
    """Points in the order in which they were logged.

    ``add`` is called once a point; ``rows`` lays them out. Of two values of one metric at one step the later counts.
    """

    names: dict[str, int] = field(default_factory=dict)
    metric: array[int] = field(default_factory=lambda: array("q"))
    step: array[int] = field(default_factory=lambda: array("q"))
    value: array[float] = field(default_factory=lambda: array("d"))
    time: array[float] = field(default_factory=lambda: array("d"))
    line: array[int] = field(default_factory=lambda: array("q"))

    def add(self, name: str, step: int, value: float, time: float, line: int) -> None:
        """Take up a point; ``time`` is in seconds since 1970, ``line`` its place in the file."""
        self.metric.append(self.names.setdefault(name, len(self.names)))
        self.step.append(step)
        self.value.append(value)
        self.time.append(time)
        self.line.append(line)

    def rows(self, texts: list[str]) -> pd.DataFrame:
        """Lay the points out as rows of a ``LoggedRun``; what a person should know is added to ``texts``."""
        metric, step = np.asarray(self.metric, dtype=np.int64), np.asarray(self.step, dtype=np.int64)
        steps, place = np.unique(step, return_inverse=True)
        values = np.asarray(self.value, dtype=np.float64)
        columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {STEP: steps}
        # The last of a step in the file says when it was, since assignment keeps the later of equals.
        columns[WALL_TIME], columns[LINE] = np.zeros(len(steps)), np.zeros(len(steps), dtype=np.int64)
        columns[WALL_TIME][place] = np.asarray(self.time, dtype=np.float64)
        columns[LINE][place] = np.asarray(self.line, dtype=np.int64)
        order = np.argsort(metric, kind="stable")
        bounds = np.searchsorted(metric[order], np.arange(len(self.names) + 1))
        again, missing = 0, []
        for name, code in self._chosen(np.diff(bounds), len(steps), texts):
            mine = order[bounds[code] : bounds[code + 1]]
            column = np.full(len(steps), np.nan)
            column[place[mine]] = values[mine]
            again += len(mine) - len(np.unique(place[mine]))
            if np.isnan(values[mine]).any():
                first = int(step[mine][np.isnan(values[mine])].min())
                missing.append(f"“{name}” from step {first:,}")
            columns[_free(name)] = column
        texts += _texts(again, missing)
        return pd.DataFrame(columns)

    def _chosen(self, counts: NDArray[np.int64], steps: int, texts: list[str]) -> list[tuple[str, int]]:
        limit = min(MAX_METRICS, max(MAX_CELLS // max(steps, 1), 1))
        if len(self.names) <= limit:
            return list(self.names.items())
        order = sorted(self.names.items(), key=lambda item: (not is_known(item[0]), -counts[item[1]]))
        texts.append(f"Of {len(order):,} metrics the {limit:,} logged most were kept.")
        return order[:limit]


def _free(name: str) -> str:
    """Keep a metric from taking the name of what is no metric."""
    return f"{name} (metric)" if name in (STEP, WALL_TIME, LINE) else name


def _texts(again: int, missing: list[str]) -> list[str]:
    texts = []
    if again:
        texts.append(
            f"{again:,} values were logged again at a step that had one, as after a restart: the later counts."
        )
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        texts.append(f"Logged as not a number: {', '.join(missing[:3])}{more}; these count as not logged.")
    return texts


def without_metrics(names: Sequence[str]) -> list[str]:
    """Name the runs that logged nothing, so that none vanishes unsaid."""
    if not names:
        return []
    shown = ", ".join(f"“{name}”" for name in names[:5]) + (" and others" if len(names) > 5 else "")
    return [f"{len(names):,} run{'s' * (len(names) > 1)} ({shown}) logged no metric and {_was(len(names))} left out."]


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
