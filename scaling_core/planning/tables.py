"""The small tables of facts beside this file: each row names its source, its date and how sure it is."""

from __future__ import annotations

import csv
import importlib.resources
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

Row = Mapping[str, str]


@cache
def read_table(name: str) -> tuple[Row, ...]:
    """Return the rows of ``data/<name>.csv`` as text by column; an empty text means unknown."""
    file = importlib.resources.files("scaling_core.planning").joinpath("data", f"{name}.csv")
    lines = file.read_text(encoding="utf-8").splitlines()
    return tuple(MappingProxyType(row) for row in csv.DictReader(lines))


def number(text: str) -> float | None:
    """Return a cell as a float, or None where it is empty."""
    return float(text) if text else None
