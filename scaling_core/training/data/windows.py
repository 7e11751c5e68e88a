"""Bytes as a source: windows of the context, seen in a shuffled order, and fixed ones for validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch
from scaling_core.training.data.order import rows_at
from scaling_core.training.models.base import DataShape

#: Different bytes.
BYTES = 256
#: Fewer windows to train on than this are a mistake, not a corpus.
_FEWEST_WINDOWS = 8


@dataclass(frozen=True)
class Windows:
    """A source of text: every byte is a token.

    Attributes
    ----------
    training, held_out : ndarray of uint8, ``(bytes,)``
        In memory or mapped from a file.
    context : int
        Tokens of a row.
    seed : int
        Of the order of the rows.
    validation_rows : int
        At most; they lie evenly over ``held_out``.
    provenance : Mapping
    symbols : int
        Different tokens; the bytes are smaller than this.
    bytes_per_token, entropy
        As in ``Source``.
    """

    training: np.ndarray
    held_out: np.ndarray
    context: int
    seed: int
    validation_rows: int
    provenance: Mapping[str, Any]
    symbols: int = BYTES
    bytes_per_token: float | None = 1.0
    entropy: float | None = None

    def __post_init__(self) -> None:
        needed = _FEWEST_WINDOWS * self.context + 1
        if self.training.size < needed or self.held_out.size < self.context + 1:
            have = self.training.size + self.held_out.size
            raise UserError(
                f"The text is too small: {have:,} bytes leave no {_FEWEST_WINDOWS} windows of {self.context} "
                "to train on and one to validate on.",
                where=str(self.provenance.get("path", "")),
                fix="Give more text, or a smaller context.",
            )

    @property
    def shape(self) -> DataShape:
        """Symbols in, symbols out."""
        return DataShape("text", self.symbols, self.symbols, (self.context,))

    @property
    def rows(self) -> int:
        """Windows of one pass; the byte after a window is the last one's target."""
        return int((self.training.size - 1) // self.context)

    @property
    def unique_tokens(self) -> int:
        """Tokens of one pass."""
        return self.rows * self.context

    def batch(self, position: int, n: int) -> Batch:
        """``n`` tokens from ``position`` on, in whole windows.

        Raises
        ------
        ValueError
            If they are no whole windows.
        """
        rows = rows_at(*in_windows(position, n, self.context), self.rows, self.seed)
        return cut(self.training, rows * self.context, self.context)

    def validation(self) -> Batch:
        """Windows that lie evenly over what was held out."""
        rows = int((self.held_out.size - 1) // self.context)
        chosen = np.linspace(0, rows - 1, max(1, min(self.validation_rows, rows))).astype(np.int64)
        return cut(self.held_out, chosen * self.context, self.context)


def in_windows(position: int, n: int, context: int) -> tuple[int, int]:
    """``position`` and ``n``, in tokens, as numbers of windows of ``context`` tokens.

    Raises
    ------
    ValueError
        If they are no whole windows.
    """
    if position % context or n % context:
        raise ValueError("a batch is whole windows")
    return position // context, n // context


def cut(data: np.ndarray, starts: np.ndarray, length: int) -> Batch:
    """Windows of ``data`` at ``starts``, ``(rows,)``, and the same windows one token further."""
    windows = data[starts[:, None] + np.arange(length + 1)].astype(np.int64)
    return Batch(windows[:, :-1], windows[:, 1:])
