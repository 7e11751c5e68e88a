"""The open runs as files, in full: what is fitted, and every logged step."""

from __future__ import annotations

import streamlit as st

from scaling_core.runs import RunTable
from scaling_core.runs.exchange import KINDS, MIME, export

_TITLES = {"csv": "CSV", "parquet": "Parquet", "json": "JSON"}


def downloads(runs: RunTable) -> None:
    """Offer every kind of file; each is made once it is asked for."""
    _row(f"Runs and checkpoints ({len(runs.frame):,} rows)", runs, "runs")
    if len(runs.curves):
        _row(f"Every logged step ({len(runs.curves):,} rows)", runs, "curves")
    st.caption(
        "No row is thinned, smoothed or rounded. Parquet and JSON also say which files the rows came from, how they "
        "were understood, and what was left out. Opened here again, a file gives the same rows."
    )


def _row(title: str, runs: RunTable, rows: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(title)
        for kind in KINDS:
            st.download_button(
                _TITLES[kind], lambda kind=kind: export(runs, kind, rows), f"{rows}.{kind}", MIME[kind],
                on_click="ignore", key=f"export_{rows}_{kind}", icon=":material/download:",
            )  # fmt: skip
