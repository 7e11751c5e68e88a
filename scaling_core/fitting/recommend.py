"""Which law the runs can support: the richest whose predictors vary apart from each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from scaling_core.runs.schema import RunTable

#: ln N and ln D more correlated than this cannot be told apart by runs as noisy as ours.
_COLLINEAR = 0.97
_MIN_LEVELS = 3


class Recommendation(NamedTuple):
    """A law by name, and why it."""

    law: str
    reason: str


def recommend(table: RunTable) -> Recommendation | None:
    """Return the law to start with, or None where nothing can be fitted (no loss, or fewer than three runs)."""
    frame = table.frame[table.frame["is_final"] & table.frame["loss"].notna()]
    if len(frame) < 3:  # a single training log: its checkpoints are all there is
        frame = table.frame[table.frame["loss"].notna()]
    levels = {c: frame[c].nunique() for c in ("params", "tokens", "flops")}
    enough_for_offset = "-offset" if len(frame) >= 4 else ""
    if len(frame) < 3 or max(levels.values()) < _MIN_LEVELS:
        return None
    if min(levels["params"], levels["tokens"]) >= _MIN_LEVELS and len(frame) >= 6:
        if _correlation(frame) < _COLLINEAR:
            return Recommendation("chinchilla", "N and D vary independently, so both can be fitted.")
        return Recommendation(
            f"power-c{enough_for_offset}",
            "N and D rise together in these runs, so their effects cannot be told apart; loss against C can be fitted.",
        )
    for column, letter, other in (("params", "n", "D"), ("tokens", "d", "N")):
        if levels[column] >= _MIN_LEVELS and levels["tokens" if column == "params" else "params"] < _MIN_LEVELS:
            return Recommendation(
                f"power-{letter}{enough_for_offset}",
                f"{other} takes fewer than {_MIN_LEVELS} values, so only the effect of {letter.upper()} can be fitted.",
            )
    return Recommendation(f"power-c{enough_for_offset}", "There are too few runs for a law in both N and D.")


def _correlation(frame: pd.DataFrame) -> float:
    both = frame.dropna(subset=["params", "tokens"])
    return float(abs(np.corrcoef(np.log(both["params"]), np.log(both["tokens"]))[0, 1]))
