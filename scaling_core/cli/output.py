"""How commands answer: text for people, strict JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any


def show(text: str) -> None:
    """Print an answer at once."""
    print(text, flush=True)


def columns(rows: Sequence[Sequence[str]], left: Sequence[int] = ()) -> list[str]:
    """Lines of a table whose columns stand under each other: numbers at the right edge, those in ``left`` at the left.

    A column that is empty in all rows but the first, which holds the titles, is left out.
    """
    kept = [i for i in range(len(rows[0])) if len(rows) == 1 or any(row[i] for row in rows[1:])]
    width = {i: max(len(row[i]) for row in rows) for i in kept}

    def cell(row: Sequence[str], i: int) -> str:
        return row[i].ljust(width[i]) if i in left else row[i].rjust(width[i])

    return ["  ".join(cell(row, i) for i in kept).rstrip() for row in rows]


def json_text(value: Any) -> str:
    """JSON at full precision; what is not a finite number becomes null, since JSON has no NaN."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "item"):  # a NumPy scalar
        return _finite(value.item())
    return value if value is None or isinstance(value, str | int | bool) else str(value)
