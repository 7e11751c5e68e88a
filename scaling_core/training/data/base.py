"""What every source of data states: batches addressed by position, so that any run can be told again exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec


class Batch(NamedTuple):
    """Inputs and what should come out.

    Attributes
    ----------
    inputs : ndarray
        ``(rows, context)`` of integers, or ``(rows, *example)``; floats for images.
    targets : ndarray of int64
        ``(rows, context)`` for text, ``(rows,)`` for labels.
    """

    inputs: np.ndarray
    targets: np.ndarray


class Source(Protocol):
    """An opened source. Tokens are the unit of its positions; examples, where the data have labels."""

    @property
    def shape(self) -> DataShape:
        """What a network for it takes and gives."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the data are, for the record: name, SHA-256, files, bytes, how validation was split off."""

    @property
    def unique_tokens(self) -> int:
        """Tokens of one pass; beyond them, data repeat in another order."""

    @property
    def bytes_per_token(self) -> float | None:
        """Bytes that a token stands for; None where the data are no text."""

    @property
    def entropy(self) -> float | None:
        """Nats per token that no model can beat, where the source knows it."""

    def batch(self, position: int, n: int) -> Batch:
        """``n`` tokens from ``position`` on, both whole rows; the same for the same arguments, always.

        A row is one window of the context for text, one example for labels. ``batch(p, a + b)`` is ``batch(p, a)``
        with ``batch(p + a, b)`` below it: parts of a step, and processes, share a batch this way.
        """

    def validation(self) -> Batch:
        """The fixed examples that every run is measured by; none of them is trained on."""


#: Open a source: the specification, and the context (for labels of text: the longest example).
Opener = Callable[[DataSpec, int], Source]
