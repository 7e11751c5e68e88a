"""Sources of data. A new one is a module with an ``Opener``, and one entry here."""

from __future__ import annotations

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch, Opener, Source
from scaling_core.training.data.digits import open_digits
from scaling_core.training.data.markov import open_markov
from scaling_core.training.data.shapes import open_shapes
from scaling_core.training.data.snippets import open_snippets
from scaling_core.training.data.stdlib import open_stdlib
from scaling_core.training.data.text import open_text
from scaling_core.training.spec import DataSpec

SOURCES: dict[str, Opener] = {
    "stdlib": open_stdlib,
    "text": open_text,
    "markov": open_markov,
    "snippets": open_snippets,
    "digits": open_digits,
    "shapes": open_shapes,
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
