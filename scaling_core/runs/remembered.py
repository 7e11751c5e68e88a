"""Corrections that a person made before, offered again for files of the same format and columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scaling_core.records import Records
from scaling_core.runs.given import Given
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.raw import RawTable

_KIND = "mapping"


def fingerprint(tables: Sequence[RawTable]) -> str:
    """Hash the formats and columns of tables as read, whatever their order and rows."""
    said = sorted((table.format, *sorted(map(str, table.frame.columns))) for table in tables)
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def remember(home: Path, source: str, overrides: Overrides) -> None:
    """Keep corrections for files of this fingerprint, in place of former ones.

    Values typed for single runs belong to those runs, and are not kept.

    Raises
    ------
    UserError
        If the workspace cannot be written.
    """
    kept = _without_typed(overrides)
    if kept.is_empty:
        Records(home).delete(_KIND, source)
    else:
        Records(home).save(_KIND, source, kept.to_json())


def recall(home: Path, source: str) -> Overrides | None:
    """Return the corrections kept for files of this fingerprint, or None."""
    found = [record for record in Records(home).all(_KIND) if record.name == source]
    return Overrides.from_json(found[0].data, "remembered corrections") if found else None


def _without_typed(overrides: Overrides) -> Overrides:
    given = overrides.given
    return replace(overrides, given=Given(given.pattern, given.shape, given.products))
