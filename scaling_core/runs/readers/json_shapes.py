"""One JSON object that is a whole table: lists by column, runs by name, or a list of rows among settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scaling_core.runs.logs import is_known
from scaling_core.runs.raw import MAX_COLUMNS
from scaling_core.runs.readers.json_curves import is_curve, is_logged

Rows = list[dict[str, Any]]
#: Objects of which fewer keys than this are shared by all are parts of one thing, not runs.
_SHARED = 0.5
_MOST_GROUPS = 3  # one within another


@dataclass(frozen=True)
class Spread:
    """The rows that an object holds, and the names of what beside them says nothing of a row."""

    rows: Rows
    left_out: tuple[str, ...] = ()


def spread(whole: dict[str, Any]) -> Spread | None:
    """Return the rows that an object holds, or None if it is one row itself."""
    if rows := _columns(whole) or _split(whole):
        return Spread(rows)
    if found := _listed(whole):
        return found
    rows = _by_name(whole)
    return Spread(rows) if rows else None


def _columns(whole: dict[str, Any]) -> Rows | None:
    """``{"params": [1e8, 2e8], "loss": [3.1, 2.9]}``, and the same with objects in place of lists, as pandas writes."""
    values = list(whole.values())
    kind = type(values[0])
    if len(values) < 2 or kind not in (list, dict) or not all(isinstance(v, kind) for v in values):
        return None
    if len(values) > MAX_COLUMNS or not _any_known(whole) or (kind is list and is_curve(whole)):
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
    rows = [dict(zip(map(str, names), row, strict=True)) for row in data]
    _put_back(rows, whole.get("not_finite"))
    return rows


def _put_back(rows: Rows, infinite: Any) -> None:
    """Put infinite numbers back where an exported table lists them: by column, sign and row."""
    for column, places in infinite.items() if isinstance(infinite, dict) else ():
        for sign, value in (("inf", math.inf), ("-inf", -math.inf)):
            found = places.get(sign) if isinstance(places, dict) else None
            for place in found if isinstance(found, list) else ():
                if type(place) is int and 0 <= place < len(rows) and column in rows[place]:
                    rows[place][column] = value


def _listed(whole: dict[str, Any]) -> Spread | None:
    """``{"sweep": "a", "runs": [{"params": 1e8, ...}, ...]}``: settings around the only list of objects.

    Of several lists, as ``{"baseline": [...], "ours": [...]}``, each is a group. Logged rows are no list of runs.
    """
    lists = {k: v for k, v in whole.items() if isinstance(v, list) and v and all(isinstance(row, dict) for row in v)}
    lists = {k: rows for k, rows in lists.items() if not is_logged(rows, k)}
    if not lists or (len(lists) == 1 and len(*lists.values()) < 2):
        return None
    if len(lists) > 1 and not all(_any_known(rows[0]) for rows in lists.values()):
        return None
    around = {k: v for k, v in whole.items() if not isinstance(v, list)}
    groups = [{"group": name} if len(lists) > 1 else {} for name in lists]
    rows = [{**around, **group, **row} for group, found in zip(groups, lists.values(), strict=True) for row in found]
    return Spread(rows, tuple(str(k) for k, v in whole.items() if isinstance(v, list) and v and k not in lists))


def _by_name(whole: dict[str, Any], depth: int = 0) -> Rows | None:
    """``{"small": {"params": 1e8, "loss": 3.1}, "large": {...}}``: the keys are the names of runs.

    What stands under a name may be the run's logged rows alone, and remarks may stand beside the runs. Runs may lie in
    groups, ``{"wiki": {"small": {...}, "large": {...}}, "code": {...}}``.
    """
    if len(whole) > 1 and all(map(is_logged, whole.values())):
        return [{"run": name, "log": rows} for name, rows in whole.items()]
    named = {name: value for name, value in whole.items() if isinstance(value, dict) and value}
    around = {name: value for name, value in whole.items() if name not in named}
    if not named or any(isinstance(value, (dict, list)) and value for value in around.values()):
        return None
    if depth < _MOST_GROUPS and (rows := _in_groups(named, depth)):
        return [{**around, **row} for row in rows]
    values = list(named.values())
    if len(values) < 2 or len(values[0]) > MAX_COLUMNS:
        return None
    shared = set(values[0]).intersection(*values[1:])
    if len(shared) < _SHARED * len(set().union(*values)) or not (_any_known(shared) or _any_known_within(values[0])):
        return None
    return [{"run": name, **around, **row} for name, row in named.items()]


def _in_groups(named: dict[str, Any], depth: int) -> Rows | None:
    """Return the runs of groups, each with its group's name where there are several; None if any is no group.

    Parts of one run may share keys as runs do, ``{"train": {"loss": 3}, "val": {"loss": 3}}``; sizes tell runs.
    """
    groups = {name: None if _has_size(group) else _by_name(group, depth + 1) for name, group in named.items()}
    found = {name: rows for name, rows in groups.items() if rows and all(map(_has_size, rows))}
    if len(found) < len(groups):
        return None
    return [{**({"group": name} if len(found) > 1 else {}), **row} for name, rows in found.items() for row in rows]


def _has_size(row: dict[str, Any]) -> bool:
    return any(
        is_known(key, "params", "params_non_embedding", "tokens", "flops")
        for key, v in row.items()
        if not isinstance(v, dict)
    )


def _any_known_within(row: dict[str, Any]) -> bool:
    """Whether an object inside a run's has a known name: ``{"model": {"params_M": 124}}``."""
    return any(_any_known(cell) for cell in row.values() if isinstance(cell, dict) and len(cell) <= MAX_COLUMNS)


def _any_known(names: Iterable[str]) -> bool:
    return any(is_known(name) for name in names)
