"""Rows that look wrong, each with the reason: shown, and left out only where a person asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.runs.began import began_with
from scaling_core.runs.names import run_codes
from scaling_core.runs.seeds import seed_groups
from scaling_core.units import format_count

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: Reasons by place of the row.
Reasons = dict[int, str]
#: The check whose rows no law has unless it is asked to: ``Selection.tuned``.
FINE_TUNED = "fine-tuned"
_STATE_NAMES = ("state", "status")
_BAD_STATES = {"failed", "crashed", "killed", "diverged", "error", "canceled", "cancelled", "preempted", "preempting"}
_UNDER_WAY = {"running", "pending", "queued", "scheduled", "unfinished"}
#: Losses of two seeds differ by .1% and more; nearer than this they are one run, written twice.
_SAME_LOSS, _SAME_SIZE = 1e-4, 1e-3
#: More parameters and more tokens never cost this much, but for a run that went astray.
_WORSE = 0.05
#: A run that ends this far above its own best has diverged, or memorised.
_ABOVE_BEST = 0.05
_MOST_COMPARED = 4_000
_FEWEST_SEEDS, _LEAST_OFF_SEEDS = 3, 0.02
#: A loss above its neighbours by so many times their usual step, and by so much at least, is a spike.
_SPIKE, _LEAST_SPIKE, _NEIGHBOURS = 8.0, 0.01, 7
_AT_A_TIME = 100_000  # windows sorted at once
_SAME_BUDGET = 0.1
#: A parabola in ln N describes loss within a factor of 8 of the best size to about a tenth (see the isoFLOP profiles).
_FAR = 8.0
_FEWEST_SIZES = 5
#: A run this many times further from the parabola of the others than is usual, and by so much at least, is off it.
_OFF, _LEAST_OFF = 6.0, 0.003
_USUAL = 1.4826  # median distance to standard deviation of a normal


@dataclass(frozen=True)
class Check:
    """Something that can be wrong with a row: its key in a link, a title, what it means, and how it is found."""

    name: str
    title: str
    about: str
    find: Callable[[pd.DataFrame], Reasons]


def flags(frame: pd.DataFrame, names: Iterable[str] | None = None) -> pd.DataFrame:
    """Find rows that look wrong.

    Parameters
    ----------
    frame : DataFrame
        ``RunTable.frame``.
    names : iterable of str, optional
        Which checks; all unless given.

    Returns
    -------
    pandas.DataFrame
        ``row`` (place in ``frame``), ``run``, ``check``, ``reason``; a row may have several.
    """
    frame = _by_loss(frame)
    found = [
        (row, str(frame["run"].iloc[row]), name, reason)
        for name in (CHECKS if names is None else names)
        for row, reason in sorted(get_check(name).find(frame).items())
    ]
    return pd.DataFrame(found, columns=["row", "run", "check", "reason"])


def flagged(frame: pd.DataFrame, names: Iterable[str]) -> Mask:
    """Mark the rows that any of the named checks finds, shape (n,)."""
    frame = _by_loss(frame)
    mask = np.zeros(len(frame), dtype=bool)
    for name in names:
        mask[list(get_check(name).find(frame))] = True
    return mask


def _by_loss(frame: pd.DataFrame) -> pd.DataFrame:
    """Judge by the loss whatever metric is fitted: accuracies scatter, and a run is not astray for that."""
    frame = frame.reset_index(drop=True)
    has_other = "proxy_loss" in frame and bool(frame["proxy_loss"].notna().any())
    return frame.assign(loss=frame["proxy_loss"]) if has_other else frame


def get_check(name: str) -> Check:
    """Return a check.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in CHECKS:
        raise UserError(f"There is no check “{name[:60]}”.", fix=f"Use one of {', '.join(CHECKS)}.")
    return CHECKS[name]


def _duplicates(frame: pd.DataFrame) -> Reasons:
    """Find rows that have N, D, C and loss of an earlier one."""
    values = frame[["params", "tokens", "flops", "loss"]]
    values = values[values["loss"].duplicated(keep=False) & values["loss"].notna()]  # of a log that leaves few
    again = values.duplicated() & (values.notna().sum(axis=1) > 2)
    if not again.any():
        return {}
    first = values[values.duplicated(keep=False)].groupby([*values.columns], dropna=False, sort=False).ngroup()
    runs = frame["run"].loc[first.index]
    earlier = runs.groupby(first).transform("first")
    return {int(i): f"Same N, D, C and loss as “{earlier[i]}”." for i in again.index[again]}


def _near_duplicates(frame: pd.DataFrame) -> Reasons:
    """Find ends of runs so like another in size and loss that they are one run, written twice."""
    ends = _ends(frame)
    keys = ends[["params", "tokens", "loss"]].to_numpy(dtype=float)
    known = np.isfinite(keys).all(axis=1) & (keys > 0).all(axis=1)
    place, logs = np.flatnonzero(known), np.log(keys[known])
    order = np.lexsort((logs[:, 2], logs[:, 1], logs[:, 0]))
    found: Reasons = {}
    for here, after in pairwise(order):
        gap = np.abs(logs[after] - logs[here])
        if gap[0] < _SAME_SIZE and gap[1] < _SAME_SIZE and gap[2] + gap[0] + gap[1] > 0 and gap[2] < _SAME_LOSS:
            first, second = sorted((int(place[here]), int(place[after])))
            found[int(ends.index[second])] = f"“{ends['run'].iloc[first]}” in all but rounding: one run written twice?"
    return found


def _failed(frame: pd.DataFrame) -> Reasons:
    """Find runs that the tracker says did not finish."""
    column = next((c for c in frame.columns if c.lower().rsplit(".", 1)[-1] in _STATE_NAMES), None)
    if column is None:
        return {}
    states = frame[column].astype("str").str.strip().str.lower()
    return {
        int(i): f"The tracker marks it as {states[i]}." for i in np.flatnonzero(states.isin(_BAD_STATES | _UNDER_WAY))
    }


def _diverged(frame: pd.DataFrame) -> Reasons:
    """Find runs that end above their own best, or above runs with no more parameters and tokens."""
    found: Reasons = {}
    ends = _ends(frame)
    if len(ends) < len(frame):
        best = frame["loss"].groupby(_codes(frame), sort=False).transform("min")
        for i in ends.index[(ends["loss"] > best[ends.index] * (1 + _ABOVE_BEST)).to_numpy()]:
            found[int(i)] = f"It ends at {frame['loss'][i]:.4g}, after {best[i]:.4g} on the way."
    return {**_outdone(ends), **found}


def _outdone(ends: pd.DataFrame) -> Reasons:
    known = ends[ends[["params", "tokens", "loss"]].notna().all(axis=1)]
    if not 2 <= len(known) <= _MOST_COMPARED:
        return {}
    n, d, loss = (known[c].to_numpy(dtype=float) for c in ("params", "tokens", "loss"))
    # The median of a setting's seeds, so that one that is too good does not make the others look bad.
    typical = known["loss"].groupby(seed_groups(known)).transform("median").to_numpy(dtype=float)
    smaller = (n[None, :] <= n[:, None] * 1.001) & (d[None, :] <= d[:, None] * 1.001)
    best = np.where(smaller, typical[None, :], np.inf).min(axis=1)
    return {
        int(known.index[i]): f"Runs with no more parameters and tokens reach {best[i]:.4g}; this one {loss[i]:.4g}."
        for i in map(int, np.flatnonzero(loss > best * (1 + _WORSE)))
    }


def _tuned(frame: pd.DataFrame) -> Reasons:
    """Find the ends of runs that began with the weights of another."""
    origin = began_with(_ends(frame))
    return {
        int(i): f"It began with the weights of “{origin[i]}”; its N, D and C leave out what these had seen."
        for i in origin.index[(origin != "").to_numpy()]
    }


def _off_seeds(frame: pd.DataFrame) -> Reasons:
    """Find runs far from the other seeds of their setting, of three or more."""
    ends = _ends(frame)
    ends = ends[ends["loss"].notna()]
    by_setting = ends["loss"].groupby(seed_groups(ends))
    off = (ends["loss"] / by_setting.transform("median") - 1)[by_setting.transform("size") >= _FEWEST_SEEDS]
    if off.empty:
        return {}
    limit = max(_OFF * _USUAL * float(off.abs().median()), _LEAST_OFF_SEEDS)
    found = off[off.abs() > limit]
    return {
        int(row): f"{abs(value):.1%} {'above' if value > 0 else 'below'} the median of its seeds."
        for row, value in zip(found.index, found, strict=True)
    }


def _spikes(frame: pd.DataFrame) -> Reasons:
    """Find logged losses that stand out above those before and after."""
    if "step" not in frame or frame["is_final"].all():
        return {}
    logged = frame.loc[frame["loss"] > 0, ["step", "loss"]].assign(run=_codes(frame)[frame["loss"] > 0])
    counts = logged.groupby("run")["loss"].transform("size")
    logged = logged[counts >= _NEIGHBOURS].sort_values(["run", "step"], kind="stable")
    if logged.empty:
        return {}
    log = np.log(logged["loss"].to_numpy(dtype=float))
    begins = np.flatnonzero(np.diff(logged["run"], prepend=-1) != 0)
    lengths = np.diff(np.append(begins, len(log)))
    off = log - _medians_around(log, begins, lengths)
    usual = pd.Series(np.abs(off)).groupby(np.repeat(begins, lengths)).transform("median").to_numpy()
    # The first rows of a run lie far above what follows because loss falls fast there.
    early = np.arange(len(log)) - np.repeat(begins, lengths) < _NEIGHBOURS // 2
    spikes = np.flatnonzero((off > np.maximum(_SPIKE * _USUAL * usual, _LEAST_SPIKE)) & ~early)
    rows, steps = logged.index[spikes], logged["step"].iloc[spikes]
    return {
        int(row): f"{np.expm1(above):.0%} above the losses around step {step:g}."
        for row, above, step in zip(rows, off[spikes], steps, strict=True)
    }


def _medians_around(values: Floats, begins: NDArray[np.intp], lengths: NDArray[np.intp]) -> Floats:
    """Median of each value and the three on either side of it in its run, of as many as there are at its ends.

    ``begins`` and ``lengths`` say where runs of seven values or more lie; shape (n,).
    """
    reach = _NEIGHBOURS // 2
    medians = np.empty(len(values))
    for at in range(0, len(values), _AT_A_TIME):
        windows = sliding_window_view(values[at : at + _AT_A_TIME + 2 * reach], _NEIGHBOURS)
        found = np.partition(windows, reach, axis=1)[:, reach]
        medians[at + reach : at + reach + len(found)] = found
        if at + _AT_A_TIME + 2 * reach >= len(values):
            break
    for i in range(reach):
        width = np.arange(reach + 1 + i)
        medians[begins + i] = np.median(values[begins[:, None] + width], axis=1)
        last = begins + lengths - 1
        medians[last - i] = np.median(values[last[:, None] - width], axis=1)
    return medians


def _codes(frame: pd.DataFrame) -> NDArray[np.intp]:
    """Number the runs, those of one name in two files apart, shape (n,)."""
    files = run_codes(frame["file"])
    return np.asarray(run_codes(frame["run"]) * (files.max(initial=0) + 1) + files)


def _off_centre(frame: pd.DataFrame) -> Reasons:
    """Find runs of a budget far from its best size."""
    found: Reasons = {}
    for rows in _budgets(frame):
        best = rows["params"].iloc[int(rows["loss"].to_numpy().argmin())]
        ratio = rows["params"] / best
        for i in rows.index[(ratio > _FAR) | (ratio < 1 / _FAR)]:
            times = max(ratio[i], 1 / ratio[i])
            side = "larger" if ratio[i] > 1 else "smaller"
            found[int(i)] = f"{times:.0f} times {side} than {format_count(float(best))}, the best of its budget."
    return found


def _curvature(frame: pd.DataFrame) -> Reasons:
    """Find runs of a budget that lie off the parabola through its other runs."""
    budgets = [(rows, _left_out(rows)) for rows in _budgets(frame)]
    if not budgets:
        return {}
    usual = _USUAL * float(np.median(np.abs(np.concatenate([off for _, off in budgets]))))
    limit = max(_OFF * usual, _LEAST_OFF)
    found: Reasons = {}
    for rows, off in budgets:
        # The worst alone: its neighbours may only look wrong because it pulls the parabola of the others.
        worst = int(np.abs(off).argmax())
        if abs(off[worst]) > limit:
            way = "above" if off[worst] > 0 else "below"
            found[int(rows.index[worst])] = f"{abs(off[worst]):.1%} {way} the parabola of the other runs of its budget."
    return found


def _left_out(rows: pd.DataFrame) -> Floats:
    """Relative distance of each loss from the parabola in ln N through the others, shape (n,)."""
    x = np.log(rows["params"].to_numpy(dtype=float))
    x = (x - x.mean()) / x.std()
    y = rows["loss"].to_numpy(dtype=float)
    basis, _ = np.linalg.qr(np.stack([np.ones_like(x), x, x * x], axis=1))
    leverage = (basis**2).sum(axis=1)
    residual = y - basis @ (basis.T @ y)
    # A point that the parabola must pass through says nothing about itself.
    free = 1 - leverage > 1e-3
    return np.where(free, residual / np.where(free, 1 - leverage, 1) / y, 0.0)


def _budgets(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the ends of runs of one compute, where they are of five sizes or more."""
    ends = _ends(frame)
    known = ends[(ends[["params", "flops", "loss"]] > 0).all(axis=1)].sort_values("flops", kind="stable")
    if len(known) < _FEWEST_SIZES:
        return
    logs = np.log(known["flops"].to_numpy(dtype=float))
    group = np.concatenate(([0], np.cumsum(np.diff(logs) > np.log1p(_SAME_BUDGET))))
    for _, rows in known.groupby(group, sort=False):
        spread = np.log(rows["flops"].iloc[-1] / rows["flops"].iloc[0])
        if rows["params"].nunique() >= _FEWEST_SIZES and spread < np.log1p(2 * _SAME_BUDGET):
            yield rows


def _ends(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["is_final"].to_numpy(dtype=bool)]


CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Check("duplicate", "Duplicates", "N, D, C and loss of an earlier row.", _duplicates),
        Check("near-duplicate", "Near-duplicates", "As another run to a ten-thousandth of the loss.", _near_duplicates),
        Check("failed", "Failed or unfinished", "The tracker says that the run did not finish.", _failed),
        Check("diverged", "Diverged", "Ends above its own best, or above smaller runs on less data.", _diverged),
        Check(
            FINE_TUNED,
            "Fine-tuned",
            "Began with weights of another run: its tokens are not all it learned from.",
            _tuned,
        ),
        Check("seed", "Off its seeds", "Far from the other runs of its N, D and C, of three or more.", _off_seeds),
        Check("spike", "Spikes", "A logged loss that stands out above those around it.", _spikes),
        Check("off-centre", "Off-centre sizes", "More than 8 times from the best size of its budget.", _off_centre),
        Check("curvature", "Off the parabola", "Far from the parabola of the other runs of its budget.", _curvature),
    )
}
