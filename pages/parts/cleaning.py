"""Rows that look wrong: each with its reason, and a switch for each kind to leave them out of the fit.

Fine-tuned runs have a switch the other way round: they are out until somebody asks for them.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.parts import data, frame, state
from scaling_core.runs import CHECKS, RunTable
from scaling_core.runs.began import is_tuned
from scaling_core.runs.cleaning import FINE_TUNED


def rows_to_look_at(runs: RunTable) -> None:
    """Draw the switches and the table; nothing is left out before a switch is turned."""
    if not runs.has_loss:
        return
    found = data.flagged_rows()
    counts = found["check"].value_counts()
    tuned = int(counts.get(FINE_TUNED, 0))
    out = [name for name in state.get("clean") if counts.get(name)]
    out += [FINE_TUNED] if tuned and not state.get("tuned") else []
    rows = found.drop_duplicates("row")
    left = found[found["check"].isin(out)]["row"].nunique()
    if tuned and not state.get("tuned"):
        st.caption(":material/close: Runs that began with the weights of another are left out of the law; “Rows to "
                   "look at” has a switch.")  # fmt: skip
    title = f"Rows to look at ({len(rows)}" + (f", {left} left out)" if left else ")")
    with st.expander(title, icon=":material/troubleshoot:"):
        if found.empty:
            st.markdown(f"Nothing looks wrong. Looked for: {', '.join(c.title.lower() for c in CHECKS.values())}.")
        if found.empty and not state.get("clean"):
            return
        st.pills(
            "Leave out of the fit", [n for n in CHECKS if _is_offered(n, counts)], key="clean",
            selection_mode="multi", format_func=lambda n: f"{CHECKS[n].title} ({counts.get(n, 0)})", wrap=True,
            help="\n\n".join(f"**{c.title}**: {c.about}" for c in CHECKS.values()),
        )  # fmt: skip
        if found.empty:
            return
        tuned_switch(runs)
        st.caption("What is left out stays on the chart as a cross, and in the table.")
        shown = found.assign(check=found["check"].map(lambda n: CHECKS[n].title)).drop(columns="row")
        frame.table(shown, "flags")


def tuned_switch(runs: RunTable) -> None:
    """Let fine-tuned runs be fitted too, where there are any."""
    ends = runs.frame["is_final"].to_numpy(dtype=bool)
    if count := int((is_tuned(runs.frame) & ends).sum()):
        st.toggle(f"Fit the {count} fine-tuned run{'s' if count != 1 else ''} too", key="tuned",
                  help="They began with the weights of another run, and D counts their own tokens alone: no law in N "
                       "and D holds for them with others. Alone, at one N, they may follow one in D.")  # fmt: skip


def _is_offered(name: str, counts: pd.Series) -> bool:
    """Whether a kind can be left out: one that was found or is left out already."""
    return name in state.get("clean") or (name != FINE_TUNED and bool(counts.get(name)))
