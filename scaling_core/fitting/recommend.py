"""Which law the runs can support: the richest whose predictors vary apart from each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from scaling_core.laws import Array
from scaling_core.runs.began import is_tuned
from scaling_core.runs.schema import RunTable

#: ln N and ln D more correlated than this cannot be told apart by runs as noisy as ours.
COLLINEAR = 0.97
_MIN_LEVELS = 3
#: Tokens may exceed unique tokens by this much for rounding.
REPEATED = 1.001
#: A law for repeated data has seven parameters, two of which only runs that repeat their data tell.
_RUNS_FOR_REPEATS, _REPEATED_RUNS = 9, 3
_LETTER = {"params": "n", "tokens": "d", "flops": "c"}


class Recommendation(NamedTuple):
    """A law by name, and why it."""

    law: str
    reason: str


def recommend(table: RunTable) -> Recommendation | None:
    """Return the law to start with, or None where none can be fitted (no loss, or too few runs that differ)."""
    frame = table.frame[table.frame["is_final"] & table.frame["loss"].notna()]
    if not (tuned := is_tuned(frame)).all():  # a law has runs that began with other weights only where asked
        frame = frame[~tuned]
    if len(frame) < 3:  # a single training log: its checkpoints are all there is
        frame = table.frame[table.frame["loss"].notna()]
    levels = {c: frame[c].nunique() for c in ("params", "tokens", "flops")}
    if min(levels["params"], levels["tokens"]) >= _MIN_LEVELS and _enough_for_both(frame):
        if correlation(frame) < COLLINEAR:  # where D falls as N rises, loss has a lowest point to look at
            return _both(frame)
        reason = (
            "N and D rise together in these runs, so their effects cannot be told apart; loss against C can be fitted."
        )
        return _power(frame, "flops", reason)
    for column, other, letters in (("params", "tokens", "ND"), ("tokens", "params", "DN")):
        if levels[column] >= _MIN_LEVELS > levels[other]:
            reason = (
                f"{letters[1]} takes fewer than {_MIN_LEVELS} values, so only the effect of {letters[0]} can be fitted."
            )
            return _power(frame, column, reason)
    return _power(frame, "flops", "There are too few runs for a law in both N and D.")


def epochs_of(frame: pd.DataFrame) -> Array:
    """Passes of each row over its unique tokens, (n,); NaN where either number is not known."""
    if not {"tokens", "unique_tokens"} <= set(frame):
        return np.full(len(frame), np.nan)
    return (frame["tokens"] / frame["unique_tokens"]).to_numpy(dtype=float)


def _both(frame: pd.DataFrame) -> Recommendation:
    """The law in N and D; where enough runs repeat their data, the one that says what repeating is worth."""
    reason = "N and D vary apart from each other, so both can be fitted."
    epochs = epochs_of(frame)
    repeated = int((epochs > REPEATED).sum())
    if not repeated:
        return Recommendation("chinchilla", reason)
    several = "1 run repeats its data" if repeated == 1 else f"{repeated} runs repeat their data"
    if len(frame) < _RUNS_FOR_REPEATS or repeated < _REPEATED_RUNS:
        return Recommendation("chinchilla", f"{reason} {several}: too few to tell what repeating is worth.")
    most = float(np.nanmax(epochs))
    passes = f"up to {most:,.0f} passes" if most >= 100 else f"up to {most:.3g} passes"
    return Recommendation("data-constrained", f"N and D vary apart from each other, and {several} ({passes}).")


def correlation(frame: pd.DataFrame) -> float:
    """Correlation of ln N and ln D over the rows that have both."""
    n, d = (frame[name].to_numpy(dtype=float) for name in ("params", "tokens"))
    both = ~np.isnan(n) & ~np.isnan(d)
    return float(np.corrcoef(np.log(n[both]), np.log(d[both]))[0, 1])


def _enough_for_both(frame: pd.DataFrame) -> bool:
    both = frame[["params", "tokens"]].dropna()
    return len(both) >= 6 and len(both.drop_duplicates()) >= 5


def _power(frame: pd.DataFrame, column: str, reason: str) -> Recommendation | None:
    """A power law in one column, with an offset where there are runs enough; None where the column hardly varies."""
    if frame[column].nunique() < _MIN_LEVELS:
        return None
    name = f"power-{_LETTER[column]}"
    return Recommendation(name + ("-offset" if frame[column].notna().sum() >= 4 else ""), reason)
