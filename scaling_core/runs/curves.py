"""What runs logged along the way: every step, whether or not the loss was measured at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.aliases import take_apart
from scaling_core.runs.schema import CURVE_COLUMNS, Note

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: Names of the time since a run began, in seconds, the most telling first.
_SECONDS = ("seconds", "elapsedseconds", "elapsed", "elapsedtime", "timeelapsed", "runtime", "walltime")
_PART = 10_000
_CALENDAR = 1e8  # more seconds than this since the run began are rather seconds since 1970


def metric_columns(frame: pd.DataFrame, codes: NDArray[np.intp], leave_out: frozenset[str]) -> list[str]:
    """Return the columns of numbers that change within any run, besides those to leave out.

    ``codes`` has the number of each row's run, shape (n,).
    """
    first = np.zeros(codes.max(initial=-1) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return [
        name
        for name in frame.columns
        if name not in leave_out
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        if _changes(frame[name], first, codes)
    ]


def _changes(column: pd.Series, first: NDArray[np.int64], codes: NDArray[np.intp]) -> bool:
    """Whether values of one run differ; of most columns the first rows say so."""
    part = column.iloc[:_PART].to_numpy(dtype=float, na_value=np.nan)
    if len(column) > _PART and _differ(part, part[first[codes[:_PART]]]):
        return True
    values = column.to_numpy(dtype=float, na_value=np.nan)
    return _differ(values, values[first[codes]])


def _differ(values: Floats, reference: Floats) -> bool:
    return bool(((values != reference) & ~(np.isnan(values) & np.isnan(reference))).any())


def without_loss(
    frame: pd.DataFrame, codes: NDArray[np.intp], loss: Floats, metrics: Sequence[str], is_log: bool
) -> tuple[Mask, Mask]:
    """Mark rows that lack the loss, as ``(only along the way, at fault)``.

    A row of a log is part of its run's curve. In any other table it must say something else, and its run must have
    the loss at another row. ``codes`` has the number of each row's run, shape (n,).
    """
    blank = np.isnan(loss)
    if is_log or not blank.any():
        return blank, np.zeros(len(blank), dtype=bool)
    says = frame[list(metrics)].notna().any(axis=1).to_numpy() if len(metrics) else np.zeros(len(blank), dtype=bool)
    measured = np.zeros(codes.max(initial=-1) + 1, dtype=bool)
    measured[codes[~blank]] = True
    along = blank & says & measured[codes]
    return along, blank & ~along


def curve_frame(
    names: pd.Series, files: pd.Series, known: Mapping[str, Floats | pd.Series], metrics: Mapping[str, pd.Series]
) -> pd.DataFrame:
    """Gather every logged row: ``CURVE_COLUMNS``, NaN where unknown, then the metrics.

    Parameters
    ----------
    names : Series, shape (n,)
        The run of each row.
    files : Series, shape (n,)
        The file of each row.
    known : mapping of str to ndarray or Series of float64, shape (n,)
        Canonical columns by name; ``step`` must be among them.
    metrics : mapping of str to Series, shape (n,)
    """
    unknown = np.full(len(names), np.nan)
    columns: dict[str, object] = {"run": names, "file": files}
    columns |= {c: known.get(c, unknown) for c in CURVE_COLUMNS if c not in ("run", "file", "seconds")}
    columns["seconds"] = _seconds(names, metrics)
    columns = {c: columns[c] for c in CURVE_COLUMNS}
    columns |= {name: column for name, column in metrics.items() if name not in columns}
    return pd.DataFrame(columns, copy=False)


def _seconds(names: pd.Series, metrics: Mapping[str, pd.Series]) -> Floats:
    keys = {take_apart(name).key: name for name in reversed([*metrics])}
    found = next((keys[key] for key in _SECONDS if key in keys), None)
    if found is None:
        return np.full(len(names), np.nan)
    seconds = metrics[found].astype(float)
    if not seconds.max() > _CALENDAR:
        return np.asarray(seconds, dtype=np.float64)
    start = seconds.groupby(names.to_numpy()).transform("min")
    return np.where(start > _CALENDAR, seconds - start, seconds)


def unmeasured_notes(names: pd.Series, along: Mask, column: str, file: str) -> list[Note]:
    """Name the runs of a log that never logged the loss, and so are curves only."""
    if not along.any():
        return []
    measured = set(pd.unique(names[~along]))
    missing = [str(name) for name in pd.unique(names[along]) if name not in measured]
    if not missing:
        return []
    shown = ", ".join(f"“{name}”" for name in missing[:5]) + (" and others" if len(missing) > 5 else "")
    runs = f"{len(missing):,} run{'s' * (len(missing) > 1)}"
    text = f"{runs} never logged the loss (“{column}”) and cannot be fitted: {shown}."
    return [Note("warning", text, file)]
