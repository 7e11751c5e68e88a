"""One JSON object that is a whole table: lists by column, runs by name, or a list of rows among settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scaling_core.runs.logs import is_known
from scaling_core.runs.raw import MAX_COLUMNS

Rows = list[dict[str, Any]]
#: Objects of which fewer keys than this are shared by all are parts of one thing, not runs.
_SHARED = 0.5


def spread(whole: dict[str, Any]) -> Rows | None:
    """Return the rows that an object holds, or None if it is one row itself."""
    return _columns(whole) or _split(whole) or _listed(whole) or _by_name(whole)


def _columns(whole: dict[str, Any]) -> Rows | None:
    """``{"params": [1e8, 2e8], "loss": [3.1, 2.9]}``, and the same with objects in place of lists, as pandas writes."""
    values = list(whole.values())
    kind = type(values[0])
    if len(values) < 2 or kind not in (list, dict) or not all(isinstance(v, kind) for v in values):
        return None
    if len(values) > MAX_COLUMNS or not _any_known(whole):
        return None
    if all(isinstance(v, dict) and v.keys() == values[0].keys() for v in values) and not _any_known(values[0]):
        values = [list(v.values()) for v in values]
    if not all(isinstance(v, list) and len(v) == len(values[0]) for v in values) or not values[0]:
        return None
    return [dict(zip(whole, cells, strict=True)) for cells in zip(*values, strict=True)]


def _split(whole: dict[str, Any]) -> Rows | None:
    """``{"columns": [...], "data": [[...], ...]}``, as pandas and W&B tables write."""
    names, data = whole.get("columns"), whole.get("data")
    if not isinstance(names, list) or not isinstance(data, list) or not data:
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    return [dict(zip(map(str, names), row, strict=True)) for row in data]


def _listed(whole: dict[str, Any]) -> Rows | None:
    """``{"model": "a", "history": [{"step": 1, ...}, ...]}``: settings around the only list of objects."""
    lists = [k for k, v in whole.items() if isinstance(v, list) and v and all(isinstance(row, dict) for row in v)]
    if len(lists) != 1 or len(whole[lists[0]]) < 2:
        return None
    around = {k: v for k, v in whole.items() if not isinstance(v, list)}
    return [{**around, **row} for row in whole[lists[0]]]


def _by_name(whole: dict[str, Any]) -> Rows | None:
    """``{"small": {"params": 1e8, "loss": 3.1}, "large": {...}}``: the keys are the names of runs."""
    values = list(whole.values())
    if len(values) < 2 or not all(isinstance(v, dict) and v for v in values):
        return None
    if len(values[0]) > MAX_COLUMNS:
        return None
    shared = set(values[0]).intersection(*values[1:])
    if len(shared) < _SHARED * len(set().union(*values)) or not _any_known(shared):
        return None
    return [{"run": name, **row} for name, row in whole.items()]


def _any_known(names: Iterable[str]) -> bool:
    return any(is_known(name) for name in names)
