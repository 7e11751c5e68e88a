"""Runs that began with the weights of another: what these were worth before and after, apart from any law."""

from __future__ import annotations

import pandas as pd

from pages.parts import frame
from scaling_core.charts.figure import Figure
from scaling_core.charts.tuned import tuned_chart
from scaling_core.jobs import Ladder
from scaling_core.jobs.watching import unit_of
from scaling_core.units import format_count, format_number, format_percent

_SHOWN = ["run", "params", "tokens", "flops", "tuned_from", "before", "loss"]


def sentences(ladder: Ladder, rows: pd.DataFrame) -> list[str]:
    """How far each run that was begun with has come, and why no law has these runs."""
    unit, said = unit_of(ladder), []
    for name, group in rows.groupby("tuned_from", sort=False):
        last = group.loc[group["tokens"].idxmax()]
        after = f"**{format_number(last['loss'], 4)}** after {format_count(last['tokens'])} {unit}s"
        if pd.notna(last["before"]):
            fell = 1.0 - last["loss"] / last["before"]
            how = f"{format_percent(abs(fell))} {'lower' if fell >= 0 else 'higher'}"
            said.append(f"On these data **{frame.plain(str(name))}** had a loss of "
                        f"**{format_number(last['before'], 4)}**; it is {after}, {how}.")  # fmt: skip
        else:
            said.append(f"From **{frame.plain(str(name))}**, the loss is {after}.")
    return said


def left_out(rows: pd.DataFrame) -> str:
    """That no law has these runs, and why."""
    count = len(rows)
    runs, began, owe = ("run", "It", "it owes") if count == 1 else ("runs", "They", "they owe")
    return (f":material/close: Left out of the law: {count} {runs}. {began} began with weights of another run, and "
            f"what {owe} to its tokens no law in N and D knows.")  # fmt: skip


def figure(ladder: Ladder, rows: pd.DataFrame, *, dark: bool) -> Figure:
    """Loss against fine-tuning tokens."""
    return tuned_chart(rows, frame.DARK if dark else frame.LIGHT, unit=unit_of(ladder))


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The chart's points."""
    return rows[[name for name in _SHOWN if name in rows]].reset_index(drop=True)
