"""In which order rows are seen: a shuffle for each pass, known by seed and position alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def _shuffled(rows: int, seed: int, passes: int) -> np.ndarray:
    order = np.random.default_rng([seed, passes]).permutation(rows)
    order.setflags(write=False)
    return order


def rows_at(first: int, n: int, rows: int, seed: int) -> np.ndarray:
    """Which of ``rows`` rows are the ``first``-th to ``first + n - 1``-th that training sees, ``(n,)``.

    Each pass over the data is a shuffle of its own.
    """
    if first // rows == (first + n - 1) // rows:  # nearly always: no pass ends in this batch
        begin = first % rows
        return _shuffled(rows, seed, first // rows)[begin : begin + n]
    places = np.arange(first, first + n)
    return np.array([_shuffled(rows, seed, int(p) // rows)[p % rows] for p in places])
