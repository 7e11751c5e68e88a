"""Sources of data. A new one is a module with an ``Opener``, and one entry here."""

from __future__ import annotations

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch, Opener, Source
from scaling_core.training.data.stdlib import open_stdlib
from scaling_core.training.data.text import open_text
from scaling_core.training.spec import DataSpec

SOURCES: dict[str, Opener] = {
    "stdlib": open_stdlib,
    "text": open_text,
}

__all__ = ["SOURCES", "Batch", "Opener", "Source", "open_source"]


def open_source(spec: DataSpec, context: int) -> Source:
    """Open the source that a specification names, in rows of ``context`` tokens.

    Raises
    ------
    UserError
        If there is no such source, or its data cannot be read or are too few.
    """
    if spec.source not in SOURCES:
        raise UserError(f"There is no data source “{spec.source}”.", fix=f"Known: {', '.join(sorted(SOURCES))}.")
    return SOURCES[spec.source](spec, context)
