"""The lowest loss at each compute (Hoffmann et al. 2022, approach 1): which size reaches it, and how that size grows.

Where runs have checkpoints, each run is a curve of loss against compute, and at every C the lowest curve wins. Runs
with a single row can only be compared where they share a budget. A winner counts where both smaller and larger runs
were in the race: at the ends of a ladder the smallest and the largest size win because there is no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.bootstrap import resample_counts
from scaling_core.fitting.budget import group_by_budget, placed_rows
from scaling_core.fitting.exponents import PowerFit, power_fit
from scaling_core.fitting.finding import Finding, present
from scaling_core.fitting.isoflop import DEFAULT_RESAMPLES, DEFAULT_TOLERANCE
from scaling_core.fitting.levels import SAME_SIZE, same_level
from scaling_core.fitting.selection import Selection
from scaling_core.laws import Array, Mask
from scaling_core.runs.schema import RunTable

#: Budgets looked at, even in ln C. Hoffmann et al. took 1,500; winners change a few times only.
_BUDGETS = 240
_FEWEST_CURVES, _FEWEST_SIZES = 3, 3
#: Steps between sizes that move an exponent by more than this are worth a doubt.
_LARGE_SLACK = 0.05
#: Share of the resamples that must leave sizes enough to follow: those that do are the ones that kept the winners, and
#: where they are few, or all alike, they say nothing of how sure the exponent is.
_ENOUGH_DRAWS = 0.5
#: Numbers compared at once.
_CHUNK_NUMBERS = 2_000_000


@dataclass(frozen=True)
class Envelope:
    """The frontier of the runs.

    Attributes
    ----------
    frontier : pandas.DataFrame
        A row for each C, ascending: ``flops``, ``loss``, ``run``, ``params`` and ``tokens`` of the winner, and
        ``bracketed`` (whether smaller and larger runs were in the race). The power laws go through the bracketed rows.
    params, tokens : PowerFit or None
        N* and D* against C, with draws over runs; None where fewer than three sizes win a race. Without draws where
        too few resamples could be followed, which is a finding.
    curves : bool
        Whether checkpoints were compared, or only runs of one budget.
    findings : tuple of Finding
    """

    frontier: pd.DataFrame
    params: PowerFit | None
    tokens: PowerFit | None
    curves: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Race:
    """Runs at common budgets: loss and ln D of each, (runs, G), infinite and NaN where it was not there."""

    flops: Array
    log_params: Array
    names: tuple[str, ...]
    loss: Array
    log_tokens: Array
    curves: bool


def envelope(
    table: RunTable,
    selection: Selection | None = None,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Envelope:
    """Find the lowest loss at each C over the chosen runs and all their checkpoints, and how its N and D grow.

    Parameters
    ----------
    tolerance : float
        For runs without checkpoints: how far the compute of runs of one budget may differ, as a share.
    resamples : int
        Draws of the exponents: runs with replacement, each with all its checkpoints.

    Raises
    ------
    UserError
        If there are neither curves of three runs nor budgets shared by three sizes.
    """
    rows = placed_rows(table, replace(selection or Selection(), checkpoints="all"))
    return envelope_of(rows, tolerance=tolerance, resamples=resamples, seed=seed)


def envelope_of(
    rows: pd.DataFrame, *, tolerance: float = DEFAULT_TOLERANCE, resamples: int = 0, seed: int = 0
) -> Envelope:
    """``envelope`` of rows that are already chosen: they need N, D, C and loss."""
    race = _race_of_curves(rows) or _race_at_budgets(rows, tolerance)
    if race is None:
        raise UserError(
            "These runs have neither checkpoints, so that loss could be followed along compute, nor budgets that "
            "three sizes share.",
            fix="Add the training curves, or runs of several sizes with the same compute.",
        )
    winner, bracketed = _winners(race, np.ones((1, len(race.names)), dtype=bool))
    frontier = _frontier(race, winner[0], bracketed[0])
    params, tokens = _exponents(race, frontier, resamples, seed)
    lost = _too_few(params, resamples)
    if params and tokens and lost:
        params, tokens = (replace(p, draws=p.draws[:0]) for p in (params, tokens))
    return Envelope(frontier, params, tokens, race.curves, present(lost, *_findings(race, frontier)))


def _too_few(params: PowerFit | None, resamples: int) -> Finding | None:
    """Resamples that tell nothing of the exponent: most lack a winner, or all follow the same winners."""
    if params is None or not resamples:
        return None
    known = len(params.draws)
    if known >= _ENOUGH_DRAWS * resamples and np.ptp(params.draws[:, 0]) > 0:
        return None
    text = (
        f"How sure this exponent is can't be told by drawing runs again: {known} of {resamples:,} draws leave sizes "
        "enough to follow, and those are the ones that kept the winners."
    )
    return Finding("no interval", "doubt", text, known / resamples, "Add sizes, so that no single run decides.")


def _race_of_curves(rows: pd.DataFrame) -> _Race | None:
    """Each run's loss, between its checkpoints, at budgets even in ln C; None with fewer than three such runs."""
    runs = [run.sort_values("flops").drop_duplicates("flops") for _, run in rows.groupby(["file", "run"], sort=False)]
    runs = [run for run in runs if len(run) > 1]
    if len(runs) < _FEWEST_CURVES:
        return None
    grid = np.linspace(
        np.log(min(run["flops"].iloc[0] for run in runs)), np.log(max(run["flops"].iloc[-1] for run in runs)), _BUDGETS
    )
    loss = np.stack([_between(run, "loss", grid, np.inf) for run in runs])
    log_tokens = np.stack([_between(run.assign(t=np.log(run["tokens"])), "t", grid, np.nan) for run in runs])
    log_params = _sizes(np.array([run["params"].iloc[-1] for run in runs], dtype=float))
    return _Race(np.exp(grid), log_params, tuple(str(run["run"].iloc[0]) for run in runs), loss, log_tokens, True)


def _sizes(params: Array) -> Array:
    """ln N, with sizes that differ by rounding made one."""
    level = same_level(params, SAME_SIZE)
    return np.asarray((np.bincount(level, np.log(params)) / np.bincount(level))[level])


def _between(run: pd.DataFrame, column: str, grid: Array, outside: float) -> Array:
    """A column of one run on a grid of ln C, straight between checkpoints."""
    x = np.log(run["flops"].to_numpy(dtype=float))
    return np.asarray(np.interp(grid, x, run[column].to_numpy(dtype=float), left=outside, right=outside))


def _race_at_budgets(rows: pd.DataFrame, tolerance: float) -> _Race | None:
    """Runs that share budgets, each present at its own; None where no budget has three sizes."""
    groups = group_by_budget(rows, tolerance)
    if not groups:
        return None
    every = pd.concat(groups)
    column = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    loss, log_tokens = np.full((len(every), len(groups)), np.inf), np.full((len(every), len(groups)), np.nan)
    at = np.arange(len(every)), column
    loss[at] = every["loss"].to_numpy(dtype=float)
    log_tokens[at] = np.log(every["tokens"].to_numpy(dtype=float))
    flops = np.array([float(np.exp(np.log(group["flops"]).mean())) for group in groups])
    log_params = _sizes(every["params"].to_numpy(dtype=float))
    return _Race(flops, log_params, tuple(every["run"].astype(str)), loss, log_tokens, False)


def _winners(race: _Race, drawn: Mask) -> tuple[Array, Mask]:
    """Which run wins at each budget, and whether smaller and larger ones ran, both (R, G), for runs drawn (R, runs).

    Where nothing runs, nothing is bracketed.
    """
    there = drawn[:, :, None] & np.isfinite(race.loss)
    winner = np.where(there, race.loss, np.inf).argmin(axis=1)
    size = race.log_params[None, :, None]
    smallest = np.where(there, size, np.inf).min(axis=1)
    largest = np.where(there, size, -np.inf).max(axis=1)
    won = race.log_params[winner]
    return winner, (smallest < won) & (won < largest)


def _frontier(race: _Race, winner: Array, bracketed: Mask) -> pd.DataFrame:
    at = winner, np.arange(len(race.flops))
    frame = pd.DataFrame({
        "flops": race.flops, "loss": race.loss[at], "run": np.array(race.names, dtype=object)[winner],
        "params": np.exp(race.log_params[winner]), "tokens": np.exp(race.log_tokens[at]), "bracketed": bracketed,
    })  # fmt: skip
    return frame.dropna(subset=["tokens"]).reset_index(drop=True)


def _exponents(
    race: _Race, frontier: pd.DataFrame, resamples: int, seed: int
) -> tuple[PowerFit | None, PowerFit | None]:
    if frontier.loc[frontier["bracketed"], "params"].nunique() < _FEWEST_SIZES:
        return None, None
    counts = resample_counts(np.arange(len(race.names), dtype=float), resamples, _FEWEST_CURVES, seed)
    chunk = max(1, _CHUNK_NUMBERS // race.loss.size)
    parts = [_drawn(race, counts[i : i + chunk] > 0) for i in range(0, len(counts), chunk)]
    draws = np.concatenate(parts) if parts else np.zeros((0, 2, len(race.flops)))
    found = []
    for i, name in enumerate(("params", "tokens")):
        y = np.full(len(race.flops), np.nan)
        y[np.isin(race.flops, frontier["flops"])] = frontier[name].where(frontier["bracketed"])
        found.append(power_fit(race.flops, y, draws[:, i]))
    return found[0], found[1]


def _drawn(race: _Race, drawn: Mask) -> Array:
    """N* and D* of some draws, (R, 2, G): NaN where not bracketed, and in draws with too few sizes to follow."""
    winner, bracketed = _winners(race, drawn)
    log_n = np.where(bracketed, race.log_params[winner], np.nan)
    log_d = np.where(bracketed, race.log_tokens[winner, np.arange(len(race.flops))], np.nan)
    sizes = np.array([len(np.unique(row[~np.isnan(row)])) for row in log_n])
    values = np.exp(np.stack([log_n, log_d], axis=1))
    return np.where((sizes >= _FEWEST_SIZES)[:, None, None], values, np.nan)


def _findings(race: _Race, frontier: pd.DataFrame) -> tuple[Finding, ...]:
    findings = []
    won = frontier[frontier["bracketed"]]
    sizes = won["params"].nunique()
    if sizes < _FEWEST_SIZES:
        text = f"{sizes} sizes are best somewhere between smaller and larger ones: too few to follow along compute."
        findings.append(Finding("few winners", "problem", text, sizes, "Add sizes, or longer and shorter runs."))
    else:
        steps = np.diff(np.unique(race.log_params))
        ratio = float(np.exp(np.median(steps)))
        slack = np.log(ratio) / 2 / np.log(won["flops"].max() / won["flops"].min())
        text = (
            f"Only sizes that were trained can win, and they stand {ratio:.2g} times apart: an exponent is uncertain "
        )
        text += f"by about {slack:.2f} for that alone."
        findings.append(Finding("steps", "doubt" if slack > _LARGE_SLACK else "info", text, float(slack), "Add sizes."))
    if race.curves:
        text = "A checkpoint before the end of its learning-rate schedule has a higher loss than a run that ends there."
        fix = "Take runs whose schedules end at several lengths, or a constant learning rate."
        findings.append(Finding("unfinished", "info", text, None, fix))
    else:
        text = "These runs have no checkpoints to follow, so only runs of one budget are compared, size by size."
        findings.append(Finding("no curves", "doubt", text, None, "Add the training curves."))
    return tuple(findings)
