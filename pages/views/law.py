"""Law: what curve do the runs follow, and how far can I trust it?"""

import pandas as pd
import streamlit as st

from pages.parts import data, frame, law_controls, law_findings, law_sections, points, state
from scaling_core.charts.axes import View, column_title
from scaling_core.charts.contours import contour_chart
from scaling_core.charts.law import law_chart
from scaling_core.charts.runs import BRUSH
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL, FitResult
from scaling_core.fitting.curves import contours, family, line
from scaling_core.planning import basis_of_fit, budgets, frontier
from scaling_core.units import format_latex, format_number

_BEYOND = 30.0


def body() -> None:
    runs = data.table()
    chart_side, control_side = st.columns([5, 1.45])
    with control_side:
        refused = law_controls.panel(runs)
    with chart_side:
        try:
            fit = data.current_fit()
        except UserError as error:  # the controls stay, so that another choice can be made
            if refused:  # beside a formula that cannot be read, what was wrong with the one before is no help
                st.info("Mend the formula at the right; the one before it could not be fitted either.")
            else:
                frame.show_error(error)
            points.clear_button()
            return
        answer(fit)
        law_controls.views(fit.law.predictors)
        main_chart(fit)
        if state.get("box") or not on_contours(fit):
            points.sentence(fit.points["role"])
    law_findings.draw(runs, fit)
    law_sections.draw(runs, fit)


def answer(fit: FitResult) -> None:
    """The formula with its numbers, and how well it holds."""
    numbers = {name: format_latex(value) for name, value in fit.parameters.items()}
    st.latex(fit.law.formula(numbers))
    if fit.law.where:
        st.caption(fit.law.where)
    if said := "; ".join(f"{name} {format_number(low)} to {format_number(high)}"
                         for name, (low, high) in fit.intervals().items()):  # fmt: skip
        st.caption(f"{DEFAULT_LEVEL:.0%} intervals: {frame.plain(said)}.")
    scatter = f"The fitted runs scatter {100 * fit.scatter():.2g}% (rms) around it"
    held = fit.points.loc[fit.points["role"] == "held out", "residual"].dropna()
    if len(held):
        scatter += f"; the {len(held)} held-out runs are off by {100 * held.abs().mean():.2g}% on average"
    what = "" if fit.metric.column == "loss" else f" Fitted is {frame.plain(fit.metric.cost_title)}."
    st.markdown(f"{scatter}. Fitted to {fit.n_points} points.{what}")
    if fit.certificate.grade != "good":
        show = st.error if fit.certificate.grade == "failed" else st.warning
        show("\n\n".join(map(frame.plain, fit.certificate.reasons)), icon=":material/warning:")


def main_chart(fit: FitResult) -> None:
    """The law and its runs, as the chosen view shows them."""
    view = state.get("view")
    if len(fit.law.predictors) == 1:
        (x,) = fit.law.predictors
        draw(fit, x, None, line(fit, _BEYOND))
    elif not {"params", "tokens"} <= set(fit.law.predictors):
        draw(fit, fit.law.predictors[0], None, None)
    elif on_contours(fit):
        contour_view(fit)
    elif view == "isoflop":
        draw(fit, "params", family(fit, "params", fixed="flops"), None, "compute")
    else:
        draw(fit, view, family(fit, view), best_line(fit) if view == "flops" else None)


def on_contours(fit: FitResult) -> bool:
    """Whether the chart shows N against D, where nothing can be dragged."""
    return state.get("view") == "contours" and {"params", "tokens"} <= set(fit.law.predictors)


def draw(fit: FitResult, x: str, curves: pd.DataFrame | None, main: pd.DataFrame | None, fixed: str = "") -> None:
    rows = main if curves is None else curves if main is None else main
    figure = law_chart(
        fit.points,
        View(x, "loss", y_title=frame.fitted_title(fit)),
        frame.palette(),
        curves=curves,
        main=main,
        extent=fit.ranges.get(x),
    )
    frame.chart(
        figure,
        key="law_chart",
        alt_text=f"{fit.law.title} and the runs: loss against {column_title(x)}, dashed beyond the runs",
        rows=rows if rows is not None else fit.points,
        on_select=lambda: points.take_box("law_chart"),
        selection_mode=[BRUSH],
    )
    st.caption(said(curves, main, fixed or ("D" if x == "params" else "N")))


def said(curves: pd.DataFrame | None, main: pd.DataFrame | None, fixed: str) -> str:
    """What the lines of the chart are."""
    if main is not None:
        what = "law" if curves is None else "lowest loss for each compute, by the law"
        return (
            f"Thick line: the {what}, with its {DEFAULT_LEVEL:.0%} band; a single run scatters more. Solid inside the "
            "runs, dashed beyond them."
        )
    if curves is None:
        return "The law reads more than can stand on one axis: the points show what it was fitted to."
    return f"Each line is the law at one {fixed}, coloured as its points. Solid inside the runs, dashed beyond them."


def contour_view(fit: FitResult) -> None:
    """Lines of equal loss over N and D, with the runs and the best split."""
    try:
        lines = contours(fit)
    except UserError as error:
        frame.show_error(error)
        return
    frame.chart(
        contour_chart(fit.points, lines, best_line(fit), frame.palette()),
        key="law_contours",
        alt_text="Lines of equal loss over parameters N and tokens D, the runs, and the best split of each budget",
        rows=lines,
    )
    st.caption(
        "Thin lines: equal loss. Grey lines: equal compute. Thick line: the best split of each budget. Where it leaves "
        "the runs behind, the law has not been seen to hold."
    )


def best_line(fit: FitResult) -> pd.DataFrame | None:
    """The frontier, where the law has one."""
    try:
        low, high = fit.ranges["flops"]
        basis = basis_of_fit(fit)
        return frontier(basis, budgets(low, high * _BEYOND)) if basis.has_optimum else None
    except (UserError, KeyError):
        return None


frame.page("Law", "What curve do these runs follow, and how far can it be trusted?", body)
