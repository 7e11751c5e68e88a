"""Where the runs of a backtest are cut: those below are fitted, those from there on are foretold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.fit import Posed, require_enough
from scaling_core.fitting.levels import default_cut, gaps, spread_cuts
from scaling_core.laws import Array, Mask
from scaling_core.units import format_flops

MAX_CUTS = 12
_RUNS_PER_PARAMETER = 3


def choose_cut(rows: pd.DataFrame) -> float:
    """The default cut of rows with compute.

    Raises
    ------
    UserError
        If their compute is unknown or the same for all.
    """
    cut = default_cut(rows["flops"].dropna().to_numpy(dtype=float))
    if cut is None:
        raise UserError(
            "The largest runs are held out by their compute, but these runs do not differ in it.",
            fix="Name the columns of parameters and tokens, or of FLOPs.",
        )
    return cut


def split(posed: Posed, cut: float) -> tuple[Mask, Mask]:
    """Rows to train and to test on, both (n,). Runs held out are not shown at all, so neither are their checkpoints."""
    flops = posed.rows["flops"].to_numpy(dtype=float)
    test = flops >= cut
    return (flops < cut) & ~np.isin(posed.groups, posed.groups[test]), test


def require_trainable(posed: Posed, train: Mask, test: Mask, cut: float) -> None:
    """Refuse a split that leaves nothing to judge by, or too little to fit.

    Raises
    ------
    UserError
        With what is missing.
    """
    if not test.any():
        raise UserError(f"No run has {format_flops(cut)} FLOPs or more to judge the law by.", fix="Choose a lower cut.")
    try:
        require_enough(posed.law, posed.rows[train], len(posed.problem.fixed))
    except UserError as error:
        raise UserError(
            f"Below {format_flops(cut)} FLOPs: {error.what}", fix="Choose a higher cut, or a simpler law."
        ) from error


def trainable(posed: Posed, train: Mask) -> bool:
    """Whether the law can be fitted to some of its rows."""
    try:
        require_enough(posed.law, posed.rows[train], len(posed.problem.fixed))
    except UserError:
        return False
    return True


def default_cuts(posed: Posed) -> Array:
    """Cuts from the first that leaves a few runs for each parameter, or half of all, to the last that leaves a test."""
    flops = posed.rows["flops"].dropna().to_numpy(dtype=float)
    cuts, _ = gaps(flops)
    wanted = min(_RUNS_PER_PARAMETER * posed.problem.free, len(flops) // 2)
    first = int(np.searchsorted(cuts, np.partition(flops, wanted)[wanted])) if len(cuts) else 0
    while first < len(cuts) and not trainable(posed, split(posed, cuts[first])[0]):
        first += 1
    return spread_cuts(flops, MAX_CUTS, cuts[first], cuts[-1]) if first < len(cuts) else np.zeros(0)
