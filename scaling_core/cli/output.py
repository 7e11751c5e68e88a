"""How commands answer: text for people, strict JSON for programs."""

from __future__ import annotations

import json
import math
from typing import Any


def show(text: str) -> None:
    """Print an answer at once."""
    print(text, flush=True)


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
