"""What each line of a chart of curves is called: its run, and where files name runs alike, the file as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd

from scaling_core.charts.thinning import Codes
from scaling_core.laws import Array

Pair = tuple[Hashable, Hashable]


def lines_of(curves: pd.DataFrame) -> tuple[Codes, list[Pair]]:
    """Tell the lines of logged rows apart.

    Parameters
    ----------
    curves : frame with ``run`` and, where there are several files, ``file``

    Returns
    -------
    codes : ndarray of intp, shape (n,)
        The line of each row, numbered as they first appear.
    pairs : list of tuple
        The run and the file of each line; the file is "" where the frame has none.
    """
    run_codes, runs = _numbered(curves["run"])
    if "file" not in curves:
        return run_codes, [(run, "") for run in runs]
    file_codes, files = _numbered(curves["file"])
    if len(files) < 2:
        return run_codes, [(run, file) for run in runs for file in files]
    codes, found = pd.factorize(run_codes * len(files) + file_codes)
    return np.asarray(codes, dtype=np.intp), [(runs[pair // len(files)], files[pair % len(files)]) for pair in found]


def line_names(pairs: Iterable[Pair]) -> list[str]:
    """Name lines by their runs; runs of one name in several files have the file in brackets, too."""
    pairs = list(pairs)
    counts = Counter(run for run, _ in pairs)
    return [f"{run} ({file})" if counts[run] > 1 else str(run) for run, file in pairs]


def named_alike(frame: pd.DataFrame, curves: pd.DataFrame) -> Array:
    """Name each row of ``frame``, one a run and file, as the lines of ``curves`` are; others by their run."""
    _, pairs = lines_of(curves)
    names = dict(zip(pairs, line_names(pairs), strict=True))
    own = zip(frame["run"], frame["file"], strict=True)
    return np.array([names.get(pair, str(pair[0])) for pair in own], dtype=object)


def _numbered(column: pd.Series) -> tuple[Codes, list[Hashable]]:
    codes, values = pd.factorize(column)
    return np.asarray(codes, dtype=np.intp), list(values)
