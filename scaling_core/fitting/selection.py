"""Which runs a law is fitted to, which are held out, and which are left aside: by rule, so that a link can say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.schema import RunTable

FITTED, HELD_OUT, EXCLUDED, UNUSABLE = "fitted", "held out", "excluded", "unusable"
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
    checkpoints : {"final", "all"}
        The last row of each run, or every row.
    drop_highest_loss : int
        How many of the highest losses to leave out.
    box : tuple of Range
        Rows inside all ranges are fitted; the others are held out.
    """

    checkpoints: Literal["final", "all"] = "final"
    drop_highest_loss: int = 0
    box: tuple[Range, ...] = ()

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

    Returns a series of ``fitted``, ``held out`` (outside the box), ``excluded`` (dropped for its high loss, or a
    checkpoint before the end) or ``unusable`` (a needed value is missing).
    """
    frame = table.frame
    values = frame[[*needed, "loss"]].to_numpy(dtype=float)
    usable = np.isfinite(values).all(axis=1) & (values > 0).all(axis=1)
    role = np.where(usable, FITTED, UNUSABLE).astype(object)
    if selection.checkpoints == "final":
        role[usable & ~frame["is_final"].to_numpy(dtype=bool)] = EXCLUDED
    role[(role == FITTED) & ~_inside(frame, selection.box)] = HELD_OUT
    candidates = np.flatnonzero(role == FITTED)
    if selection.drop_highest_loss:
        order = highest_first(frame["loss"].to_numpy(dtype=float)[candidates])
        role[candidates[order[: selection.drop_highest_loss]]] = EXCLUDED
    return pd.Series(role, index=frame.index, name="role")


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
