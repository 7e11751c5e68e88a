"""Long lines with fewer points: of each bin of the axis a line's lowest and highest stay, so that no spike is lost.

Bins lie at multiples of a power of two of the axis as it is drawn (of log2 x on a log axis). Points that come later
fill later bins and leave the former alone; only when the axis has outgrown its bins do pairs of them become one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scaling_core.laws import Array, Mask

Codes = NDArray[np.intp]


def on_axis(x: Array, *, log: bool) -> Array:
    """Return where values stand on the axis as it is drawn, in doublings if it is a log axis."""
    return np.log2(x) if log else x


def bin_width(position: Array, bins: int) -> float:
    """Return the smallest power of two that cuts the extent of these positions into at most about ``bins``."""
    extent = float(np.ptp(position)) if len(position) else 0.0
    return float(2.0 ** math.ceil(math.log2(extent / bins))) if extent > 0 else 1.0


def line_bounds(codes: Codes) -> list[tuple[int, int]]:
    """Return where each line begins and ends, of lines that lie one after the other."""
    if not len(codes):
        return []
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(codes)], strict=True))


def points_kept(codes: Codes, position: Array, y: Array, most: int) -> Mask:
    """Mark the points to draw of several lines.

    Parameters
    ----------
    codes : ndarray of intp, shape (n,)
        The line of each point; lines lie one after the other.
    position, y : ndarray of float64, shape (n,)
        Finite; ``position`` does not fall within a line.
    most : int
        Points of a line, about: those of lines with no more all stay. The first and the last of a line, and the lowest
        and the highest of each bin, always do.
    """
    if not len(codes):
        return np.zeros(0, dtype=bool)
    heads, ends = np.array(line_bounds(codes)).T
    sizes = ends - heads
    keep = np.repeat(sizes <= most, sizes)
    if keep.all():
        return keep
    bins = np.floor(position / bin_width(position, max(2, most // 2)))
    starts = np.flatnonzero(np.append(True, (codes[1:] != codes[:-1]) | (bins[1:] != bins[:-1])))
    keep[_first_equal(y, np.minimum.reduceat(y, starts), starts)] = True
    keep[_first_equal(y, np.maximum.reduceat(y, starts), starts)] = True
    keep[heads] = True
    keep[ends - 1] = True
    return keep


def _first_equal(y: Array, of_bin: Array, starts: Codes) -> Codes:
    """Return the first point of each bin that has the bin's value."""
    sizes = np.diff(np.append(starts, len(y)))
    equal = np.flatnonzero(y == np.repeat(of_bin, sizes))
    return equal[np.searchsorted(equal, starts)]
