"""What a classifier gets right: accuracy, and precision, recall and F1 of each class and in the mean of classes.

Definitions as in Manning, Raghavan and Schütze, *Introduction to Information Retrieval*, sections 8.3 and 13.6. A class
that was never predicted has a precision of 0, one that never occurs a recall of 0, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Scores of a classifier on examples.

    Attributes
    ----------
    confusion : ndarray of int, ``(classes, classes)``
        Examples of each true class (rows) by the class predicted (columns).
    """

    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of the examples whose class was predicted."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))

    @property
    def precision(self) -> np.ndarray:
        """Of those predicted to be of a class, the share that is, ``(classes,)``."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> np.ndarray:
        """Of those of a class, the share that was predicted to be, ``(classes,)``."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=1))

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall, ``(classes,)``."""
        return _share(2 * self.confusion.diagonal(), self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    def record(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Accuracy, the means over classes, and each class under its name: what a result says."""
        names = names or [str(i) for i in range(len(self.confusion))]
        each = zip(names, self.precision, self.recall, self.f1, self.confusion.sum(axis=1), strict=True)
        return {
            "accuracy": self.accuracy,
            "macro_precision": float(self.precision.mean()),
            "macro_recall": float(self.recall.mean()),
            "macro_f1": float(self.f1.mean()),
            "classes": {
                name: {"precision": float(p), "recall": float(r), "f1": float(f), "examples": int(n)}
                for name, p, r, f, n in each
            },
        }


def scores(predicted: np.ndarray, true: np.ndarray, classes: int) -> Scores:
    """Compare predicted classes with true ones, each ``(examples,)`` of integers below ``classes``."""
    pairs = true.astype(np.int64) * classes + predicted.astype(np.int64)
    return Scores(np.bincount(pairs, minlength=classes * classes).reshape(classes, classes))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return share
