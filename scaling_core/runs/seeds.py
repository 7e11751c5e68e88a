"""Runs that differ only by chance: same size, same data, another seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Digits of ln N, ln D and ln C in which runs of one setting agree: they were computed, not measured.
_DIGITS = 9


def seed_groups(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Number the settings of rows, shape (n,): rows of one N, D and C share a number, whatever their names.

    Rows without N or D stand alone, since nothing says that they repeat another.
    """
    sizes = frame[["params", "tokens", "flops"]].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        keys = pd.DataFrame(np.log(sizes).round(_DIGITS))
    codes = keys.groupby([0, 1, 2], dropna=False, sort=False).ngroup().to_numpy().astype(np.int64)
    alone = np.isnan(sizes[:, :2]).any(axis=1)
    codes[alone] = len(frame) + np.flatnonzero(alone)
    return codes


def repeats(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Count, for each row, the rows of its setting, shape (n,); 1 where it has no like."""
    _, place, counts = np.unique(seed_groups(frame), return_inverse=True, return_counts=True)
    return np.asarray(counts[place], dtype=np.int64)


def seed_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of the loss of each setting that several rows have.

    Returns
    -------
    pandas.DataFrame
        ``params``, ``tokens``, ``flops``, ``loss`` (mean), ``loss_low`` and ``loss_high`` (one standard deviation of
        a run to either side, n − 1), ``runs`` (how many).
    """
    known = frame[frame["loss"].notna()]
    grouped = known.assign(__setting=seed_groups(known)).groupby("__setting", sort=False)
    mean = grouped[["params", "tokens", "flops", "loss"]].mean()
    out = mean.assign(spread=grouped["loss"].std(ddof=1), runs=grouped["loss"].size())
    out = out[out["runs"] > 1]
    out = out.assign(loss_low=out["loss"] - out["spread"], loss_high=out["loss"] + out["spread"])
    return out.drop(columns="spread").reset_index(drop=True)
