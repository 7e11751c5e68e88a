"""Random numbers by their place: any of them can be drawn alone, whichever others were drawn before.

SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 19): the i-th number
is a mix of ``key + i`` times an odd constant, so a row of a made source is known by its index alone.
"""

from __future__ import annotations

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
#: A made source never repeats: more examples than any run sees, and an exact number in every file format.
UNLIMITED = 1 << 53


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    mixed: np.ndarray = state ^ (state >> np.uint64(31))
    return mixed


def uniform(seed: int, stream: int, rows: np.ndarray, columns: int) -> np.ndarray:
    """Numbers in [0, 1) for each row and column, ``(rows, columns)``.

    Parameters
    ----------
    seed, stream : int
        Other numbers for another seed or stream.
    rows : ndarray of int, ``(rows,)``
        Index of each row, from 0 on.
    columns : int
    """
    key = _mixed(_mixed(np.array([seed], np.uint64) * _STEP + _STEP) + np.array([stream], np.uint64) * _STEP)
    # A row has a key of its own, so rows never share numbers, however many columns they have.
    keys = _mixed(key + (rows.astype(np.uint64) + np.uint64(1)) * _STEP)
    places = np.arange(1, columns + 1, dtype=np.uint64) * _STEP
    return (_mixed(keys[:, None] + places) >> np.uint64(11)) * 2.0**-53


def normal(seed: int, stream: int, rows: np.ndarray, columns: int) -> np.ndarray:
    """Standard normal numbers for each row and column, ``(rows, columns)`` (Box and Muller 1958)."""
    half = (columns + 1) // 2
    drawn = uniform(seed, stream, rows, 2 * half)
    radius, angle = np.sqrt(-2 * np.log1p(-drawn[:, :half])), 2 * np.pi * drawn[:, half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :columns]
