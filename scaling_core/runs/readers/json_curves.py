"""Curves inside the JSON of a result: lists of numbers beside a run's settings, and lists of logged rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.runs.aliases import is_run_name, loss_split_of, take_apart
from scaling_core.runs.logs import LINE, STEP, WALL_TIME, LoggedRun, Logs, is_known
from scaling_core.runs.progress import tracked
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import PLANNED, Scalar, as_number

Object = dict[str, Any]
Column = list[float]
_STEP_WORDS = frozenset({"step", "steps", "iter", "iters", "iteration", "iterations"})
_EPOCH_WORDS = frozenset({"epoch", "epochs"})
#: Lists of these names are curves of the loss, whatever else they are called.
_BARE = frozenset({"curve", "history", "log", "logs", "trajectory", "learningcurve", "trainingcurve"})
_LOSSES = frozenset({"loss", "losses"})
#: What holds the lists of a run says nothing of them.
_HOLDERS = frozenset({"history", "log", "logs", "curve", "curves", "metrics"})
_MAX_DEPTH = 16
_FEWEST = 2
_SAMPLE = 20
#: Share of the values of a log that a restart may have logged again.
_FEW_AGAIN = 0.25


@dataclass
class _Curve:
    """What the lists of one run come to: its logged rows by step, which lists they were, and what was assumed."""

    rows: dict[float, dict[str, float]] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    spread: list[str] = field(default_factory=list)
    again: int = 0

    def add(self, steps: Sequence[float], columns: Mapping[str, Column]) -> None:
        """Lay columns along steps; of two values of one metric at one step the later counts."""
        for place, step in enumerate(steps):
            if np.isfinite(step):
                row = self.rows.setdefault(float(step), {})
                said = {name: column[place] for name, column in columns.items() if not np.isnan(column[place])}
                self.again += len(row.keys() & said.keys())
                row |= said


def curves_in(objects: Sequence[tuple[int, Object]], file: str) -> Logs | None:
    """Return runs with their curves, or None if no object holds lists that are one.

    Parameters
    ----------
    objects : sequence of (int, dict)
        Each run's place in the file and what was said of it.
    file : str
        For names and notes.
    """
    if not any(_has_list(value) for _, value in objects):  # as of most logs: no need to take each object apart
        return None
    if _are_steps([value for _, value in objects]):
        return None
    found = [
        (place, *_unrolled(_with_losses(dict(_flat(value)), file))) for place, value in tracked(objects, len(objects))
    ]
    if not any(curve.rows for _, _, curve in found):
        return None
    runs, notes = [], []
    for number, (place, scalars, curve) in enumerate(found, start=1):
        name = next((str(scalars.pop(k)) for k in list(scalars) if is_run_name(k)), "")
        name = name or (f"run {number}" if len(found) > 1 else "")  # a lone run is called after its file
        rows, config, texts = _joined(scalars, curve)
        runs.append(LoggedRun(name, rows.assign(**{LINE: float(place)}), config, "", file))
        notes += [Note("info", text, file) for text in texts]
    return Logs(tuple(runs), (*_curve_notes([c for _, _, c in found], file), *dict.fromkeys(notes)))


def _are_steps(objects: Sequence[Object]) -> bool:
    """Whether objects are steps of runs rather than runs: each says its step, and none has a name of its own."""
    if len(objects) < _FEWEST or not all(any(is_known(key, STEP) for key in value) for value in objects):
        return False
    names = [next((str(value[key]) for key in value if is_run_name(key)), "") for value in objects]
    return len(set(names)) < len(names)


def _with_losses(flat: Object, file: str) -> Object:
    """Call ``{"train": [...], "val": [...]}`` losses, in a file whose name says that it holds them."""
    if not _has_words(PurePath(file).stem, _LOSSES):
        return flat
    bare = {name for name, cell in flat.items() if isinstance(cell, list) and len(take_apart(name).words) == 1}
    return {
        f"{name}_loss" if name in bare and loss_split_of(name) != "unknown" else name: cell
        for name, cell in flat.items()
    }


def _has_list(value: Object, depth: int = 0) -> bool:
    return any(
        isinstance(cell, list) or (isinstance(cell, dict) and depth < _MAX_DEPTH and _has_list(cell, depth + 1))
        for cell in value.values()
    )


def _flat(value: Object, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, cell in value.items():
        if isinstance(cell, dict) and cell and depth < _MAX_DEPTH:
            yield from _flat(cell, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", cell


def _unrolled(flat: Object) -> tuple[dict[str, Scalar], _Curve]:
    """Part what is said of a run into its settings and its curve."""
    curve = _Curve()
    lists = _without_holders({name: cell for name, cell in flat.items() if isinstance(cell, list)}, flat)
    scalars = {name: cell for name, cell in flat.items() if isinstance(cell, (str, bool, int, float))}
    logged = {name: cell for name, cell in lists.items() if is_logged(cell, name)}
    numbers = {name: c for name, cell in lists.items() if (c := _numbers(cell)) is not None}
    pairs = {name: cell for name, cell in lists.items() if _is_loss(name) and _are_pairs(cell)}
    for name, rows in logged.items():
        _take_rows(name, rows, alone=len(logged) == 1, curve=curve)
    for name, cells in pairs.items():
        curve.add([float(x) for x, _ in cells], {_metric(name): [float(y) for _, y in cells]})
        curve.used.append(name)
    _take_numbers(numbers, curve)
    curve.left_out += [name for name in lists if name not in curve.used and name not in curve.left_out]
    return scalars, curve


def _without_holders(lists: Object, taken: Object) -> Object:
    """Call ``history.val_loss`` what it is, ``val_loss``, unless another has that name."""
    lasts = Counter(name.rsplit(".", 1)[-1] for name in lists)
    short = {name: name.rsplit(".", 1) for name in lists}
    return {
        parts[-1]
        if len(parts) == 2 and lasts[parts[1]] == 1 and parts[1] not in taken and _has_words(parts[0], _HOLDERS)
        else name: lists[name]
        for name, parts in short.items()
    }


def is_logged(cell: object, name: str = "") -> bool:
    """Whether this is a list of logged rows: objects with a loss that neither name runs nor give sizes of models.

    In a list whose own name says that it holds losses, ``train`` and ``val`` are such.
    """
    if not isinstance(cell, list) or not cell or not all(isinstance(row, dict) and row for row in cell):
        return False
    keys = {key for row in cell[:_SAMPLE] for key in row}
    measured = any(_is_loss(key) or _is_split_of(name, key) for key in keys)
    return measured and not any(map(names_runs, keys))


def _is_split_of(name: str, key: str) -> bool:
    """Whether a key only says of which data a loss is, under a name that says that it is one."""
    return len(take_apart(key).words) == 1 and loss_split_of(key) != "unknown" and _has_words(name, _LOSSES)


def names_runs(key: str) -> bool:
    """Whether a key tells runs apart: a name or a size of a model."""
    return is_run_name(key) or is_known(key, "params", "params_non_embedding")


def is_curve(whole: Object) -> bool:
    """Whether lists by name are the curve of one run rather than columns of a table of runs."""
    keys = [str(key) for key in whole]
    if any(map(names_runs, keys)):
        return False
    return any(map(_counts_steps, keys)) or not any(is_known(key, "tokens", "flops") for key in keys)


def _are_pairs(cell: list[Any]) -> bool:
    """Whether a list holds points, (step, loss), the steps growing."""
    whole = len(cell) >= _FEWEST and all(isinstance(p, list) and len(p) == 2 and _numbers(p) is not None for p in cell)
    return whole and all(a[0] < b[0] for a, b in pairwise(cell))


def _numbers(cell: list[Any]) -> Column | None:
    """Return a list of numbers, NaN where it holds null; None if it is no such list."""
    if len(cell) < _FEWEST or not all(
        v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in cell
    ):
        return None
    return [np.nan if v is None else as_number(v) for v in cell]


def _is_loss(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return is_known(last, "loss") or take_apart(last).key in _BARE


def _metric(name: str) -> str:
    """Call a list that is named by its shape alone a loss; no metric takes the name of what is none."""
    last = name.rsplit(".", 1)[-1]
    if take_apart(last).key in _BARE:
        return "loss"
    return f"{name} (metric)" if name in (STEP, WALL_TIME, LINE) else name


def _take_rows(name: str, rows: list[Object], alone: bool, curve: _Curve) -> None:
    """Lay out a list of logged rows; where there are several, metrics that do not tell their split are told apart."""
    flat = [dict(_flat(row)) for row in rows]
    keys = list(dict.fromkeys(key for row in flat for key in row))
    columns = {key: [_cell(row.get(key)) for row in flat] for key in keys}
    columns = {key: column for key, column in columns.items() if not np.isnan(column).all()}
    axis = _axis(columns) or _repeated_steps(columns)
    steps = columns.pop(axis) if axis else [float(i) for i in range(1, len(rows) + 1)]
    if not axis:
        curve.counted.append(name)
    own = loss_split_of(name) != "unknown"
    titles = {
        key: f"{name}.{key}"
        if not alone or (own and _is_loss(key) and loss_split_of(key) == "unknown")
        else f"{key}_loss"
        if _is_split_of(name, key)
        else _metric(key)
        for key in columns
    }
    curve.add(steps, {titles[key]: column for key, column in columns.items()})
    curve.used.append(name)


def _take_numbers(numbers: Mapping[str, Column], curve: _Curve) -> None:
    """Lay out lists of numbers: those of one length belong together, along the list among them that counts steps."""
    by_length: dict[int, dict[str, Column]] = {}
    for name, column in numbers.items():
        by_length.setdefault(len(column), {})[name] = column
    groups = {n: g for n, g in by_length.items() if any(_is_loss(name) for name in g)}
    longest = 0 if curve.rows else max(groups, default=0)
    if longest and _axis(groups[longest]):
        longest = 0
    for length, group in sorted(groups.items(), reverse=True):
        axis, losses = _axis(group), [name for name in group if _is_loss(name)]
        if axis:
            steps = group[axis]
        elif length == longest:
            steps = [float(i) for i in range(1, length + 1)]
            curve.counted += losses
        elif longest and longest % length == 0:
            steps = [float(longest // length * i) for i in range(1, length + 1)]
            curve.spread += losses
        else:
            curve.left_out += list(group)
            continue
        curve.add(steps, {_metric(name): column for name, column in group.items() if not _counts_steps(name)})
        curve.used += list(group)


def _axis(columns: Mapping[str, Column]) -> str:
    """Return the column that says where in training a row stands: steps, else tokens, else epochs."""
    tests = (_counts_steps, lambda name: is_known(name, "tokens"), lambda name: _has_words(name, _EPOCH_WORDS))
    for test in tests:
        for name, column in columns.items():
            if test(name) and not np.isnan(column).any() and bool(np.all(np.diff(column) > 0)):
                return name
    return ""


def _repeated_steps(columns: Mapping[str, Column]) -> str:
    """Return the column of steps of logged rows that do not rise: several rows may be of one, and a restart goes back.

    Where many values would stand at a step that has one, as where each epoch counts anew, it is none.
    """
    for name, steps in columns.items():
        if is_known(name, STEP) and not np.isnan(steps).any():
            places = [
                [at for at, value in zip(steps, column, strict=True) if not np.isnan(value)]
                for other, column in columns.items() if other != name
            ]  # fmt: skip
            again = sum(len(at) - len({*at}) for at in places)
            if again <= _FEW_AGAIN * sum(map(len, places)):
                return name
    return ""


def _counts_steps(name: str) -> bool:
    words = take_apart(name.rsplit(".", 1)[-1]).words
    return is_known(name, STEP) or (bool(words) and words[-1] in _STEP_WORDS)


def _has_words(name: str, words: frozenset[str]) -> bool:
    return not words.isdisjoint(take_apart(name).words)


def _cell(value: Any) -> float:
    return np.nan if value is None or isinstance(value, (list, dict)) else as_number(value)


def _joined(scalars: Mapping[str, Scalar], curve: _Curve) -> tuple[pd.DataFrame, dict[str, Scalar], list[str]]:
    """Lay what is said of the whole run beside its curve: its last loss at the last step, D and C along the steps."""
    steps = sorted(curve.rows) or [0.0]
    rows = [{STEP: step, **curve.rows.get(step, {})} for step in steps]
    config = dict(scalars)
    texts = []
    logged = {name for row in rows for name in row}
    planned = max((as_number(v) for k, v in scalars.items() if take_apart(k).key in PLANNED), default=np.nan)
    end = max(steps[-1], planned) if np.isfinite(planned) else steps[-1]
    for name in list(scalars):
        value = as_number(scalars[name])
        if not np.isfinite(value):
            continue
        if is_known(name, "loss"):
            del config[name]
            if again := _repeated(value, rows[-1]):
                texts.append(f"“{name}” repeats the last of “{again}” and was left out.")
            else:
                rows[-1][name if name not in rows[-1] else f"{name} (run)"] = value
        elif is_known(name, "tokens", "flops") and not any(is_known(other, "tokens", "flops") for other in logged):
            del config[name]
            for row in rows:
                if row[STEP] > 0 or len(rows) == 1:
                    row[name] = value * (row[STEP] / end if len(rows) > 1 else 1.0)
            if len(rows) > 1:
                texts.append(f"“{name}” is of the whole run: on the way, its share by steps of {end:,.0f} was taken.")
    return pd.DataFrame(rows), config, texts


def _repeated(value: float, last: Mapping[str, float]) -> str:
    """Return the loss of a curve whose last value is this one, or nothing."""
    return next((name for name, found in last.items() if is_known(name, "loss") and found == value), "")


def _curve_notes(curves: Sequence[_Curve], file: str) -> list[Note]:
    def said(texts: Iterator[str], what: str, severity: Any = "info") -> list[Note]:
        names = list(dict.fromkeys(texts))
        shown = ", ".join(f"“{n}”" for n in names[:6]) + (" and others" if len(names) > 6 else "")
        return [Note(severity, what.format(shown), file)] if names else []

    again = sum(c.again for c in curves)
    repeats = f"Values logged again at a step that had one, as after a restart: {again:,}. The later count."
    with_curve = sum(bool(c.rows) for c in curves)
    runs = f"{with_curve:,} run{'s' * (with_curve > 1)}"
    return [
        *said((n for c in curves for n in c.used), f"Lists are the curves of {runs}: {{}}."),
        *said(
            (n for c in curves for n in c.counted),
            "No list says at which steps {} was logged: its values were counted from 1.", "warning",
        ),
        *said(
            (n for c in curves for n in c.spread),
            "No list says at which steps {} was logged: its values were taken as evenly spaced up to the last step.",
            "warning",
        ),
        *said((n for c in curves for n in c.left_out), "Lists that belong to no curve were left out: {}.", "warning"),
        *([Note("warning", repeats, file)] if again else []),
    ]  # fmt: skip
