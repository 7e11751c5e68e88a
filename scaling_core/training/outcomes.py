"""What the runs of a ladder's folder have come to so far, read from their result files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_core.runs.schema import RunTable
from scaling_core.training.folder import RunFolder

#: Columns of what has ended: those that a fit needs, then what a person asks next.
COLUMNS = ("run", "params", "tokens", "flops", "loss")
_FURTHER = ("bits_per_byte", "unique_tokens", "accuracy", "seconds", "tokens_per_second", "width", "layers", "seed")
#: Of runs that began with the weights of another.
_ORIGIN = ("tuned_from", "before")


def finished(folder: Path) -> pd.DataFrame:
    """One row for each run that ended well, trunks and fine-tuned runs apart, by name.

    Has ``COLUMNS`` (loss in nats per token, FLOPs counted) and further ones where the results give them.
    """
    return _frame([row for r in _results(folder) if is_point(r) and (row := _row(r))])


def tuned(folder: Path) -> pd.DataFrame:
    """One row for each run that ended well and began with the weights of another; ``finished`` has none of them.

    Has its columns, ``tuned_from`` (the name of that run) and ``before`` (loss of its weights on these data before they
    were trained on them, nats; NaN where that was not measured). Tokens and FLOPs are those of this run alone.
    """
    rows = [row | origin_of(r) for r in _results(folder) if is_tuned(r) and (row := _row(r))]
    return _frame(rows, _ORIGIN)


def _results(folder: Path) -> list[dict[str, Any]]:
    return [r for path in sorted(folder.glob("*/result.json")) if (r := RunFolder(path.parent).result)]


def _frame(rows: list[dict[str, Any]], last: tuple[str, ...] = ()) -> pd.DataFrame:
    further = (c for c in _FURTHER if any(c in row for row in rows))
    return pd.DataFrame(rows, columns=[*COLUMNS, *further, *last])


def fitted(folder: Path) -> pd.DataFrame:
    """``finished`` without the run that was held back: what the law of a ladder is fitted to."""
    rows, plan = finished(folder), planned(folder)
    return rows[~rows["run"].isin(plan.loc[plan["role"] == "test", "run"])].reset_index(drop=True)


def is_point(result: Mapping[str, Any]) -> bool:
    """Whether a result is a point of a law: a run that began at nothing or branched off a trunk that did, and ended.

    What a fine-tuned run owes to the tokens of its first training, no law in N and D knows.
    """
    return result.get("role", "run") == "run" and not origin_of(result)


def is_tuned(result: Mapping[str, Any]) -> bool:
    """Whether a result is that of a run, not a trunk, whose weights another run made."""
    return result.get("role", "run") == "run" and bool(origin_of(result))


def origin_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Whose weights a run went on with, ``tuned_from``, and their loss on its data ``before``; else empty."""
    origin, start = result.get("tuned_from"), result.get("start")
    if isinstance(origin, Mapping):
        before = origin.get("before")
        return {"tuned_from": str(origin.get("run")), "before": math.nan if before is None else float(before)}
    if isinstance(start, Mapping) and start.get("kind") == "fine-tune" and start.get("folder"):
        return {"tuned_from": Path(str(start["folder"])).name, "before": math.nan}  # of a version that kept no more
    return {}


def _row(result: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = {"run": str(result["run"])}
        row |= {c: float(result[k]) for c, k in zip(COLUMNS[1:], ("n_params", "tokens", "flops", "loss"), strict=True)}
    except (KeyError, TypeError, ValueError):
        return None
    return row | {name: result[name] for name in _FURTHER if result.get(name) is not None}


def planned(folder: Path) -> pd.DataFrame:
    """Where each run of a ladder was to stand (``Ladder.dots``), as its ``ladder.json`` says; empty without one."""
    try:
        dots = json.loads((folder / "ladder.json").read_text(encoding="utf-8"))["meta"]["dots"]
        return pd.DataFrame(dots)
    except (OSError, ValueError, KeyError, TypeError):
        return pd.DataFrame(columns=["run", "role", "params", "tokens", "flops"])


def table_of(rows: pd.DataFrame, source: str = "ladder") -> RunTable:
    """Runs in ``COLUMNS`` as a table that a law can be fitted to."""
    frame = rows.reset_index(drop=True)
    frame = frame.assign(file=source, line=range(1, len(frame) + 1), is_final=True)
    return RunTable(frame, pd.DataFrame(columns=["file", "line", "reason", "content"]), (), ())
