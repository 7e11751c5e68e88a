"""What D counts: tokens of text unless runs say otherwise, as those that learn from labelled examples do."""

from __future__ import annotations

import re

from scaling_core.runs.aliases import take_apart
from scaling_core.runs.schema import RunTable

#: Column in which runs say what their D counts, in the plural: ``examples``.
COUNTED_IN = "counted_in"
TOKEN = "token"
#: Words of a column's name that tell what it counts, where a person took it for D.
_TOLD = ("image", "example", "sample", "frame", "document")
_PLAIN_WORD = re.compile(r"[a-z]{2,20}")


def unit_of(table: RunTable) -> str:
    """Return what the D of these runs counts, in the singular: "token", or as the runs say, "example" or "image".

    Where they disagree, or say nothing, it is "token".
    """
    said = _said_by_rows(table) or _said_by_names(table)
    return said.pop() if len(said) == 1 else TOKEN


def _said_by_rows(table: RunTable) -> set[str]:
    if COUNTED_IN not in table.frame:
        return set()
    words = table.frame[COUNTED_IN].fillna(f"{TOKEN}s").astype(str).unique()
    return {_singular(word.strip().lower()) for word in words}


def _said_by_names(table: RunTable) -> set[str]:
    names = [source.mapping.get("tokens", "") for source in table.sources]
    return {next((word for word in _TOLD if word in map(_singular, take_apart(name).words)), TOKEN) for name in names}


def _singular(word: str) -> str:
    word = word.removesuffix("s")
    return word if _PLAIN_WORD.fullmatch(word) else TOKEN
