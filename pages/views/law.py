"""Law: what curve do the runs follow, and how far can I trust it?"""

import pandas as pd
import streamlit as st

from pages.parts import data, frame, points, state
from scaling_core.charts.axes import View, column_title
from scaling_core.charts.law import law_chart, residual_chart
from scaling_core.charts.runs import BRUSH
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL, OBJECTIVES, FitResult
from scaling_core.fitting.curves import family, line
from scaling_core.laws import LAWS
from scaling_core.planning import basis_of_fit, budgets, frontier
from scaling_core.units import format_latex, format_number

_BEYOND = 30.0


def body() -> None:
    runs = data.table()
    chart_side, control_side = st.columns([5, 1.45])
    with control_side:
        controls(bool((~runs.frame["is_final"]).any()))
    with chart_side:
        try:
            fit = data.current_fit()
        except UserError as error:  # the controls stay, so that another choice can be made
            frame.show_error(error)
            points.clear_button()
            return
        answer(fit)
        main_chart(fit)
        points.sentence(fit.points["role"])
    parameters(fit)
    residuals(fit)
    take_away(fit)


def controls(has_checkpoints: bool) -> None:
    """Law, objective and points; what is rarely changed stays folded."""
    st.selectbox("Law", [state.AUTO, *LAWS], format_func=law_title, key="law", help="Which curve to fit.")
    if state.get("law") == state.AUTO and (found := data.recommendation()):
        st.caption(f"{LAWS[found.law].title}. {found.reason}")
    st.selectbox(
        "Objective", list(OBJECTIVES), format_func=lambda n: OBJECTIVES[n].title, key="objective",
        help="What the fit makes small. Huber's loss pays little heed to outliers; squared errors chase them.",
    )  # fmt: skip
    st.slider(
        "Leave out the highest losses", 0, state.MAX_DROP, key="drop",
        help="How many of the runs with the highest loss are not fitted. If the law moves much, it hangs on them.",
    )  # fmt: skip
    if has_checkpoints:
        st.segmented_control(
            "Rows of a run", ["final", "all"], key="points", required=True,
            format_func={"final": "Last only", "all": "Checkpoints too"}.get,
        )  # fmt: skip
    chosen = law_or_none()
    if chosen and len(LAWS[chosen].predictors) > 1:
        st.segmented_control(
            "Draw against", ["flops", "tokens", "params"], key="curve_x", required=True,
            format_func={"flops": "C", "tokens": "D", "params": "N"}.get,
        )  # fmt: skip


def law_title(name: str) -> str:
    return "Recommended" if name == state.AUTO else LAWS[name].title


def law_or_none() -> str | None:
    try:
        return data.law_name()
    except UserError:
        return None


def answer(fit: FitResult) -> None:
    """The formula with its numbers, and how well it holds."""
    numbers = {name: format_latex(value) for name, value in fit.parameters.items()}
    st.latex(fit.law.formula(numbers))
    scatter = f"The fitted runs scatter {100 * fit.scatter():.2g}% (rms) around it"
    held = fit.points.loc[fit.points["role"] == "held out", "residual"].dropna()
    if len(held):
        scatter += f"; the {len(held)} held-out runs are off by {100 * held.abs().mean():.2g}% on average"
    st.markdown(f"{scatter}. Fitted to {fit.n_points} points.")
    if fit.certificate.grade != "good":
        show = st.error if fit.certificate.grade == "failed" else st.warning
        show("\n\n".join(fit.certificate.reasons), icon=":material/warning:")


def main_chart(fit: FitResult) -> None:
    if len(fit.law.predictors) == 1:
        (x,) = fit.law.predictors
        curves, main = None, line(fit, _BEYOND)
    else:
        x = state.get("curve_x")
        curves, main = family(fit, x), best_line(fit)
    figure = law_chart(fit.points, View(x, "loss"), frame.palette(), curves=curves, main=main, extent=fit.ranges.get(x))
    frame.chart(
        figure,
        key="law_chart",
        alt_text=f"{fit.law.title} and the runs: loss against {column_title(x)}, dashed beyond the runs",
        rows=curves if main is None else main,
        on_select=lambda: points.take_box("law_chart"),
        selection_mode=[BRUSH],
    )
    st.caption(
        f"Thick line: the {'law' if curves is None else 'lowest loss for each compute, by the law'}, with its "
        f"{DEFAULT_LEVEL:.0%} bootstrap band; a single run scatters more. Solid inside the runs, dashed beyond them."
    )


def best_line(fit: FitResult) -> pd.DataFrame | None:
    """The frontier, where the law has one."""
    try:
        low, high = fit.ranges["flops"]
        return frontier(basis_of_fit(fit), budgets(low, high * _BEYOND))
    except (UserError, KeyError):
        return None


def parameters(fit: FitResult) -> None:
    intervals = fit.intervals()
    rows = [
        {
            "parameter": p.name,
            "value": format_number(fit.parameters[p.name], 6),
            f"{DEFAULT_LEVEL:.0%} interval": interval_text(intervals.get(p.name)),
            "meaning": p.meaning,
            "unit": p.unit,
        }
        for p in fit.law.parameters
    ]
    st.subheader("Parameters")
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    certificate = fit.certificate
    st.caption(
        f"Objective {OBJECTIVES[fit.objective].title}: {fit.value:.8g}. Scaled gradient "
        f"{certificate.gradient_norm:.1e}; {certificate.starts_agreeing} of {certificate.starts} starts agree; "
        f"condition {certificate.condition:.3g}. Form: {fit.law.source}."
    )
    for note in fit.notes:
        st.caption(f":material/info: {frame.plain(note)}")


def interval_text(pair: tuple[float, float] | None) -> str:
    return f"{format_number(pair[0], 4)} to {format_number(pair[1], 4)}" if pair else "none"


def residuals(fit: FitResult) -> None:
    left, right = st.columns([3, 1.4], vertical_alignment="bottom")
    left.subheader("What the law leaves over")
    choices = [c for c in ("flops", "params", "tokens", "predicted") if fit.points[c].notna().any()]
    right.segmented_control(
        "Against", choices, key="residual_x", required=True,
        format_func={"flops": "C", "params": "N", "tokens": "D", "predicted": "law"}.get,
    )  # fmt: skip
    x = state.get("residual_x")
    columns = ["run", "params", "tokens", "flops", "loss", "predicted", "residual", "role"]
    frame.chart(
        residual_chart(fit.points, x, frame.palette()),
        key="residual_chart",
        alt_text=f"Relative residuals of the runs against {column_title(x)}",
        rows=fit.points[columns],
    )
    st.caption("A pattern here means that the law is missing something; noise around zero is what it should leave.")


def take_away(fit: FitResult) -> None:
    with st.container(horizontal=True):
        frame.json_download("Fit as JSON", fit.to_json(), f"{fit.law.name}.json", "fit_json")
        st.page_link("pages/views/plan.py", label="Plan with this law", icon=":material/explore:")


frame.page("Law", "What curve do these runs follow, and how far can it be trusted?", body)
