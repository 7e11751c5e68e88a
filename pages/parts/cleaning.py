"""Rows that look wrong: each with its reason, and a switch for each kind to leave them out of the fit."""

from __future__ import annotations

import streamlit as st

from pages.parts import data, frame, state
from scaling_core.runs import CHECKS, RunTable


def rows_to_look_at(runs: RunTable) -> None:
    """Draw the switches and the table; nothing is left out before a switch is turned."""
    if not runs.has_loss:
        return
    found = data.flagged_rows()
    counts = found["check"].value_counts()
    out = [name for name in state.get("clean") if counts.get(name)]
    rows = found.drop_duplicates("row")
    left = found[found["check"].isin(out)]["row"].nunique()
    title = f"Rows to look at ({len(rows)}" + (f", {left} left out)" if left else ")")
    with st.expander(title, icon=":material/troubleshoot:"):
        if found.empty:
            st.markdown(f"Nothing looks wrong. Looked for: {', '.join(c.title.lower() for c in CHECKS.values())}.")
        if found.empty and not state.get("clean"):
            return
        st.pills(
            "Leave out of the fit", [n for n in CHECKS if counts.get(n) or n in state.get("clean")], key="clean",
            selection_mode="multi", format_func=lambda n: f"{CHECKS[n].title} ({counts.get(n, 0)})", wrap=True,
            help="\n\n".join(f"**{c.title}**: {c.about}" for c in CHECKS.values()),
        )  # fmt: skip
        if found.empty:
            return
        st.caption("What is left out stays on the chart as a cross, and in the table.")
        shown = found.assign(check=found["check"].map(lambda n: CHECKS[n].title)).drop(columns="row")
        frame.table(shown, "flags")
