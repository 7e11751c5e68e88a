"""Labelled examples that fit into memory, as a source: some to train on, anew in each pass, and some held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.training.data.base import Batch
from scaling_core.training.data.order import rows_at
from scaling_core.training.models.base import DataShape


@dataclass(frozen=True)
class Examples:
    """A source of labels.

    Attributes
    ----------
    training, held_out : Batch
        Bytes of text may be held as such; they are given as integers.
    shape : DataShape
    seed : int
        Of the order of the examples.
    provenance : Mapping
    """

    training: Batch
    held_out: Batch
    shape: DataShape
    seed: int
    provenance: Mapping[str, Any]
    bytes_per_token: float | None = None
    entropy: float | None = None

    @property
    def unique_tokens(self) -> int:
        """Examples to train on."""
        return len(self.training.targets)

    def batch(self, position: int, n: int) -> Batch:
        """``n`` examples from ``position`` on."""
        rows = rows_at(position, n, self.unique_tokens, self.seed)
        return Batch(_given(self.training.inputs[rows]), self.training.targets[rows])

    def validation(self) -> Batch:
        """Every example that was held out."""
        return Batch(_given(self.held_out.inputs), self.held_out.targets)


def _given(inputs: np.ndarray) -> np.ndarray:
    return inputs.astype(np.int64) if inputs.dtype == np.uint8 else inputs
