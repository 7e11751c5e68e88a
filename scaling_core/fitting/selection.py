"""Which runs a law is fitted to, which are held out, and which are left aside: by rule, so that a link can say it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.began import is_tuned
from scaling_core.runs.cleaning import flagged, get_check
from scaling_core.runs.schema import RunTable

FITTED, HELD_OUT, EXCLUDED, UNUSABLE = "fitted", "held out", "excluded", "unusable"
#: Which rows of a run are fitted, but for ``last:5`` and the like.
FINAL, ALL, BEST, LAST = "final", "all", "best", "last:"
_LAST = re.compile(r"last:[1-9]\d{0,4}")
MAX_WARM_UP = 0.9
_RANGE = re.compile(r"^(?P<column>[a-z_]+):(?P<low>[^:;]+):(?P<high>[^:;]+)$")


@dataclass(frozen=True)
class Range:
    """Values of a column from ``low`` to ``high``, both included."""

    column: str
    low: float
    high: float


@dataclass(frozen=True)
class Selection:
    """The points of a fit.

    Attributes
    ----------
    checkpoints : str
        ``final`` for the last row of each run, ``best`` for that of its lowest loss, ``last:5`` for its last five,
        ``all`` for every row.
    drop_highest_loss : int
        How many of the highest losses to leave out.
    box : tuple of Range
        Rows inside all ranges are fitted; the others are held out.
    warm_up : float
        Rows before this share of their run's steps are left out; the end of a run never is.
    leave_out : tuple of str
        Checks (``scaling_core.runs.CHECKS``) whose rows are left out.
    tuned : bool
        Whether runs that began with the weights of another are fitted too: what their loss owes to the tokens of that
        run no law in N and D knows.

    Raises
    ------
    UserError
        If ``checkpoints``, ``warm_up`` or a check is none.
    """

    checkpoints: str = FINAL
    drop_highest_loss: int = 0
    box: tuple[Range, ...] = ()
    warm_up: float = 0.0
    leave_out: tuple[str, ...] = ()
    tuned: bool = False

    def __post_init__(self) -> None:
        if self.checkpoints not in (FINAL, ALL, BEST) and not _LAST.fullmatch(self.checkpoints):
            raise UserError(
                f"“{self.checkpoints[:60]}” is no choice of rows.",
                fix="Use final, best, all, or last:5 for the last five.",
            )
        if not 0 <= self.warm_up <= MAX_WARM_UP:
            raise UserError(f"A warm-up of {self.warm_up:g} is not possible.", fix="Give a share from 0 to 0.9.")
        for name in self.leave_out:
            get_check(name)

    @property
    def is_one_a_run(self) -> bool:
        """Whether each run has one row at most."""
        return self.checkpoints in (FINAL, BEST)

    @staticmethod
    def parse_box(text: str) -> tuple[Range, ...]:
        """Read ``flops:1e18:1e20;loss:2:3`` as written by ``format_box``.

        Raises
        ------
        UserError
            If the text is not of that form.
        """
        return tuple(_parse_range(part) for part in text.split(";") if part)

    def format_box(self) -> str:
        """Write the box as ``column:low:high`` parts joined with ``;``."""
        return ";".join(f"{r.column}:{r.low:.6g}:{r.high:.6g}" for r in self.box)


def _parse_range(part: str) -> Range:
    match = _RANGE.match(part)
    try:
        if match:
            low, high = sorted((float(match["low"]), float(match["high"])))
            return Range(match["column"], low, high)
    except ValueError:
        pass
    raise UserError(f"“{part}” is not a range of points.", fix="Write it as column:low:high, say flops:1e18:1e20.")


def roles(table: RunTable, selection: Selection, needed: tuple[str, ...]) -> pd.Series:
    """Role of each row of ``table.frame`` in a fit that reads the columns ``needed`` and loss.

    Returns a series of ``fitted``, ``held out`` (outside the box), ``excluded`` (dropped for its high loss, a
    checkpoint that was not asked for, of a run that began with the weights of another, or flagged by a check whose rows
    are left out) or ``unusable`` (a needed value is missing).
    """
    frame = table.frame
    values = frame[[*needed, "loss"]].to_numpy(dtype=float)
    usable = np.isfinite(values).all(axis=1) & (values > 0).all(axis=1)
    role = np.where(usable, FITTED, UNUSABLE).astype(object)
    role[usable & ~_of_runs(frame, selection, usable)] = EXCLUDED
    if not selection.tuned:
        role[usable & is_tuned(frame)] = EXCLUDED
    if selection.leave_out:
        role[usable & flagged(frame, selection.leave_out)] = EXCLUDED
    role[(role == FITTED) & ~_inside(frame, selection.box)] = HELD_OUT
    candidates = np.flatnonzero(role == FITTED)
    if selection.drop_highest_loss:
        order = highest_first(frame["loss"].to_numpy(dtype=float)[candidates])
        role[candidates[order[: selection.drop_highest_loss]]] = EXCLUDED
    return pd.Series(role, index=frame.index, name="role")


def _of_runs(frame: pd.DataFrame, selection: Selection, usable: np.ndarray) -> np.ndarray:
    """Mark the rows of each run that are asked for."""
    final: np.ndarray = frame["is_final"].to_numpy(dtype=bool)
    if selection.checkpoints == FINAL or final.all():
        return final
    kept = np.asarray(final | ~_before(frame, selection.warm_up))
    if selection.checkpoints == ALL:
        return kept
    rows = frame[kept & usable]
    run = [rows["file"], rows["run"]]
    if selection.checkpoints == BEST:
        chosen = rows.groupby(run, sort=False)["loss"].idxmin()
    else:
        count = int(selection.checkpoints.removeprefix(LAST))
        ordered = rows.assign(__final=rows["is_final"]).sort_values(["step", "__final"], kind="stable")
        chosen = ordered.groupby(["file", "run"], sort=False).tail(count).index
    return np.asarray(frame.index.isin(chosen))


def _before(frame: pd.DataFrame, share: float) -> np.ndarray:
    """Mark the rows before a share of their run's steps."""
    if not share:
        return np.zeros(len(frame), dtype=bool)
    last = frame.groupby(["file", "run"], sort=False)["step"].transform("max")
    return np.asarray(frame["step"] < share * last)


def highest_first(loss: np.ndarray) -> np.ndarray:
    """Order in which rows are dropped for their loss: the highest first, of equals the first in the table."""
    return np.argsort(-loss, kind="stable")


def _inside(frame: pd.DataFrame, box: tuple[Range, ...]) -> np.ndarray:
    inside = np.ones(len(frame), dtype=bool)
    for r in box:
        if r.column not in frame or not pd.api.types.is_numeric_dtype(frame[r.column]):
            raise UserError(
                f"The points are chosen by “{r.column}”, which these runs do not have as a number.",
                fix="Clear the selection.",
            )
        inside &= frame[r.column].between(r.low, r.high).to_numpy()
    return inside
