"""The handwritten digits that come with scikit-learn: 1,797 images of 8 × 8 pixels (Alpaydin and Kaynak 1998, UCI).

They need no download and small networks soon know them, so a law is better sought on ``shapes``.
"""

from __future__ import annotations

import hashlib

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch
from scaling_core.training.data.examples import Examples
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec

#: One image in so many is held out, the same ones whatever the seed.
_ONE_IN = 5
_BRIGHTEST = 16


def open_digits(spec: DataSpec, context: int) -> Examples:
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
    training, held_out = Batch(pixels[~held], targets[~held]), Batch(pixels[chosen], targets[chosen])
    return Examples(training, held_out, DataShape("labels", 0, 10, pixels.shape[1:]), spec.seed, provenance)
