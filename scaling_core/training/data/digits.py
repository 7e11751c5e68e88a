"""The handwritten digits that come with scikit-learn: 1,797 images of 8 × 8 pixels (Alpaydin and Kaynak 1998, UCI).

They need no download and small networks soon know them, so a law is better sought on ``shapes``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch
from scaling_core.training.data.order import rows_at
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec

#: One image in so many is held out, the same ones whatever the seed.
_ONE_IN = 5
_BRIGHTEST = 16


@dataclass(frozen=True)
class Digits:
    """The digits as a source of labels.

    Attributes
    ----------
    training, held_out : Batch
    seed : int
        Of the order of the images.
    provenance : Mapping
    """

    training: Batch
    held_out: Batch
    seed: int
    provenance: Mapping[str, Any]
    bytes_per_token: float | None = None
    entropy: float | None = None

    @property
    def shape(self) -> DataShape:
        """One channel in, ten classes out."""
        return DataShape("labels", 0, 10, self.training.inputs.shape[1:])

    @property
    def unique_tokens(self) -> int:
        """Images to train on."""
        return len(self.training.targets)

    def batch(self, position: int, n: int) -> Batch:
        """``n`` images from ``position`` on."""
        rows = rows_at(position, n, self.unique_tokens, self.seed)
        return Batch(self.training.inputs[rows], self.training.targets[rows])

    def validation(self) -> Batch:
        """Every image that was held out."""
        return self.held_out


def open_digits(spec: DataSpec, context: int) -> Digits:
    """Open the digits; ``context`` is of no use to them.

    Raises
    ------
    UserError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # needed here alone
    except ImportError:
        raise UserError(
            "The digits come with scikit-learn, which is not installed.", fix="pip install scikit-learn"
        ) from None
    images, labels = load_digits(return_X_y=True)
    pixels = (images / (_BRIGHTEST / 2) - 1).astype(np.float32).reshape(-1, 1, 8, 8)
    held = np.random.default_rng(0).permutation(len(labels)) < len(labels) // _ONE_IN
    chosen = held.nonzero()[0][: max(1, spec.validation_tokens)]
    provenance = {
        "source": "digits",
        "title": "Handwritten digits, 8 × 8 pixels",
        "unit": "examples",
        "licence": "CC BY 4.0",
        "split": "one image in five, drawn once",
        "training_examples": int((~held).sum()),
        "validation_examples": len(chosen),
        "sha256": hashlib.sha256(pixels.tobytes() + labels.astype(np.int64).tobytes()).hexdigest(),
    }
    targets = labels.astype(np.int64)
    return Digits(Batch(pixels[~held], targets[~held]), Batch(pixels[chosen], targets[chosen]), spec.seed, provenance)
