"""Points chosen by dragging on a chart, and the sentence that says so."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.parts import data, state
from scaling_core.charts.runs import BRUSH
from scaling_core.fitting import FITTED, HELD_OUT, Range, Selection, roles
from scaling_core.runs import COLUMNS

#: Columns that a box may be drawn in: a residual or a colour is not a property of the run.
_BOXABLE = {name for name, column in COLUMNS.items() if column.numeric}


def take_box(key: str) -> None:
    """Callback of a chart: what was dragged becomes the points to fit. A click beside them changes nothing."""
    dragged: dict[str, Any] = dict(st.session_state[key].get("selection", {}).get(BRUSH, {}))
    ranges = tuple(Range(c, min(v), max(v)) for c, v in dragged.items() if c in _BOXABLE and len(v) == 2)
    if not ranges:
        return
    box = Selection(box=ranges)
    if (roles(data.table(), box, ()) == FITTED).any():
        state.put(box=box.format_box())
    else:
        st.toast("There is no run in that box.", icon=":material/select:")


def clear_box() -> None:
    """Callback: fit all runs again."""
    state.put(box="")


def clear_button() -> None:
    """Offer to fit all runs again, where some were chosen."""
    if state.get("box"):
        st.button("Fit all runs", on_click=clear_box, icon=":material/deselect:", key="clear_box")


def sentence(role: Any) -> None:
    """Say which runs are fitted, and offer to fit all again where some were chosen."""
    counts = role.value_counts()
    if not state.get("box"):
        st.caption("Drag over points to fit only those; click a legend entry to show only its points (shift adds).")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/select: Fitting **{counts.get(FITTED, 0)}** runs inside the box you drew; "
            f"**{counts.get(HELD_OUT, 0)}** are held out (hollow)."
        )
        clear_button()
