"""What runs logged along the way, on Runs: lines, their smoothing and grouping, and the part that is looked at."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.parts import data, frame, state
from scaling_core.charts.axes import unit_title
from scaling_core.charts.curve_lines import SMOOTH, CurveLines, CurveView, along, curve_lines, measured
from scaling_core.charts.curves import ZOOM, axis_title, beyond_text, curves_chart, zoomed
from scaling_core.charts.figure import Figure
from scaling_core.runs import RunTable
from scaling_core.runs.counted import unit_of

_SPAN, _DRAWN = "_curve_span", "_curve_drawn"


@st.fragment
def section() -> None:
    """Draw the curves of the open runs; nothing else of the page runs again when a control of theirs moves."""
    with frame.worded_errors():
        runs = data.loss_table()
        st.subheader("Curves")
        view = _controls(runs)
        if view is None:
            st.info("Nothing was logged at more than one step.", icon=":material/info:")
            return
        drawn, figure = _figure(state.get("runs"), state.get("map"), view, frame.palette() is frame.DARK)
        frame.chart(
            figure, key=f"curves_chart_{st.session_state.get(_DRAWN, 0)}",
            alt_text=f"{unit_title(view.y, view.unit)} against {axis_title(view.x, unit=view.unit)} of {drawn.runs} "
            f"runs, coloured by {unit_title(view.color, view.unit)}",
            on_select=_take_span, selection_mode=[ZOOM],
        )  # fmt: skip
        _said(drawn, view)
        rows = _as_drawn(drawn, view)
        frame.folded("data_curves", "Data", ":material/table:", lambda: frame.table(rows, "curves"))
    state.publish()


def _controls(runs: RunTable) -> CurveView | None:
    """What runs along and up, how smooth, and what colour means; None where there is nothing to draw."""
    xs, ys = along(runs.curves), measured(runs.curves)
    if not xs or not ys:
        return None
    colors = ["run", *(c for c in data.curve_runs(state.get("runs"), state.get("map")).columns if c != "run")]
    for key, known in (("curve_x", xs), ("curve_y", ys), ("curve_color", colors)):
        if state.get(key) not in known:
            state.put(**{key: "params" if key == "curve_color" and "params" in known else known[0]})
    unit = unit_of(runs)
    slots = st.columns([1, 1.2, 1.2, 1.4, 1], vertical_alignment="bottom")
    slots[0].selectbox("Along", xs, format_func=lambda c: axis_title(c, unit=unit).split(" (")[0], key="curve_x")
    slots[1].selectbox("Curve of", ys, format_func=lambda c: unit_title(c, unit).split(" (")[0], key="curve_y")
    slots[2].selectbox(
        "Colour of curves", colors, format_func=lambda c: unit_title(c, unit).split(" (")[0], key="curve_color"
    )
    slots[3].slider("Smoothing", 0, 99, format="%d%%", key="curve_smooth",
                    help="Weight of the points before in a moving average. Only the picture is smoothed: the points as "
                    "logged stay faintly behind, and no fit ever sees the average.")  # fmt: skip
    with slots[4].popover("More", icon=":material/tune:"):
        st.toggle("Mean and range of each colour", key="curve_means")
        st.toggle("Log along", key="curve_logx")
        st.toggle("Log of curve", key="curve_logy")
    x = state.get("curve_x")
    seen = st.session_state.get(_SPAN)
    span = seen[1] if seen and seen[0] == (state.get("runs"), x) else None
    return CurveView(
        x, state.get("curve_y"), state.get("curve_logx"), state.get("curve_logy"), state.get("curve_smooth") / 100,
        state.get("curve_color"), state.get("curve_means"), span, unit,
    )  # fmt: skip


def _as_drawn(drawn: CurveLines, view: CurveView) -> pd.DataFrame:
    """The points of the picture under the names of what they are; the smoothed ones only where it shows them."""
    if view.grouped:
        return drawn.means.rename(columns={"x": view.x, "group": view.color})
    unseen = [*([] if view.smooth else [SMOOTH]), *(["group"] if view.color == "run" else [])]
    names = {"x": view.x, "y": view.y, SMOOTH: f"{view.y}, smoothed", "group": f"{view.color}, as coloured"}
    return drawn.lines.drop(columns=unseen).rename(columns=names)


@st.cache_resource(max_entries=24, show_spinner="Drawing the curves")
def _figure(runs: str, mapping: str, view: CurveView, dark: bool) -> tuple[CurveLines, Figure]:
    palette = frame.DARK if dark else frame.LIGHT
    drawn = curve_lines(data.loss_table().curves, data.curve_runs(runs, mapping), view, palette)
    return drawn, curves_chart(drawn, view, palette)


def _take_span() -> None:
    """Callback of a drag across the chart: that part is drawn anew, from all of its points."""
    view = CurveView(x=state.get("curve_x"))
    key = f"curves_chart_{st.session_state.get(_DRAWN, 0)}"
    if span := zoomed(dict(st.session_state[key].get("selection", {}).get(ZOOM, {})), view):
        _look_at(span)


def _look_at(span: tuple[float, float] | None) -> None:
    st.session_state[_SPAN] = ((state.get("runs"), state.get("curve_x")), span)
    st.session_state[_DRAWN] = st.session_state.get(_DRAWN, 0) + 1  # a new chart, on which nothing is selected


def _said(drawn: CurveLines, view: CurveView) -> None:
    """How much of what was logged the picture holds, and the way back from a part of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if view.span:
            st.button("Whole curves", on_click=_look_at, args=(None,), icon=":material/zoom_out_map:", key="curves_all")
        parts = []
        if view.grouped:
            parts.append("A line is the mean of a colour's runs; its band reaches from the lowest to the highest.")
        elif len(drawn.lines) < drawn.points:
            parts.append(
                f"{len(drawn.lines):,} of {drawn.points:,} points are drawn, with the lowest and the highest of every "
                "stretch."
            )
        if drawn.left_out:
            parts.append(f"{drawn.left_out:,} runs are not drawn; those that are lie evenly among them.")
        parts.append(frame.plain(beyond_text(drawn, view)))
        parts.append("Drag across the chart to see a part with more of its points." if not view.span else "")
        st.caption(" ".join(p for p in parts if p))
