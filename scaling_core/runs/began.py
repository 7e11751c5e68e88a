"""Runs that began with the weights of another: their tokens are not all that their loss owes to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Column that names the run whose weights a run began with; empty where it began with new ones.
COLUMN = "started_from"


def began_with(frame: pd.DataFrame) -> pd.Series:
    """The run whose weights each row's run began with; empty where it began with new ones, shape (n,)."""
    if COLUMN not in frame:
        return pd.Series("", index=frame.index)
    return frame[COLUMN].fillna("").astype(str).str.strip()


def is_tuned(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark the rows of runs that began with the weights of another, shape (n,)."""
    return np.asarray(began_with(frame) != "", dtype=bool)
