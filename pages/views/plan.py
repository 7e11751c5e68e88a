"""Plan: what should we train with this budget?"""

import streamlit as st

from pages.parts import data, frame, points, state
from scaling_core.charts.plan import plan_chart
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.planning import (
    MAX_FLOPS,
    MIN_FLOPS,
    PUBLISHED,
    Basis,
    Scenario,
    plan,
)
from scaling_core.units import format_flops, format_latex, parse_flops

#: The slider spans this many times below the smallest and above the largest run, or this when neither is known.
_BELOW, _ABOVE, _UNKNOWN_SPAN = 10.0, 1e3, (1e18, 1e26)
#: Where the slider stands until a budget is typed: the next order of magnitude.
_NEXT = 10.0


def body() -> None:
    left, right = st.columns([3, 2])
    left.selectbox(
        "Law to plan with", [state.OWN_FIT, *PUBLISHED], key="basis",
        format_func=lambda n: "The law fitted to these runs" if n == state.OWN_FIT else PUBLISHED[n].title,
    )  # fmt: skip
    right.text_input(
        "Go to a budget, in FLOPs", key="budget", placeholder="5.76e23",
        help="Sets where the slider starts; the link keeps it. Moving the slider stays in your browser.",
    )  # fmt: skip
    try:
        basis = data.basis()
    except UserError as error:  # published laws can still be chosen
        frame.show_error(error)
        st.caption("Published laws can be planned with all the same: choose one above.")
        points.clear_button()
        return
    if basis.doubts:
        st.warning("This plan stands on a doubtful fit. " + " ".join(basis.doubts), icon=":material/warning:")
    if not basis.has_optimum:
        st.info(frame.plain(basis.notes[-1]), icon=":material/info:")
    low, high = span(basis)
    start, low, high = starting_budget(low, high)
    rows = data.plan_rows(low, high, start)
    frame.chart(
        plan_chart(rows, start, DEFAULT_LEVEL, frame.palette(), without_interval(basis)),
        key="plan_chart",
        alt_text=f"Lowest loss, parameters and tokens for budgets from {format_flops(low)} to {format_flops(high)} "
        "FLOPs, with a slider for the budget",
        rows=rows,
    )
    for note in basis.notes if basis.has_optimum else basis.notes[:-1]:
        st.caption(f":material/info: {frame.plain(note)}")
    details(basis, start)


def span(basis: Basis) -> tuple[float, float]:
    """Budgets that the slider covers."""
    extent = basis.ranges.get("flops")
    low, high = (extent[0] / _BELOW, extent[1] * _ABOVE) if extent else _UNKNOWN_SPAN
    return max(low, MIN_FLOPS), min(high, MAX_FLOPS)


def starting_budget(low: float, high: float) -> tuple[float, float, float]:
    """Where the slider stands first, and its ends, widened to take in a typed budget."""
    typed = state.get("budget").strip()
    start = high / _ABOVE * _NEXT if high / _ABOVE * _NEXT > low else low
    if typed:
        try:
            start = Scenario(parse_flops(typed)).flops
        except UserError as error:
            frame.show_error(error)
    return start, min(low, start), max(high, start)


def without_interval(basis: Basis) -> str:
    """What to say of a quantity that has no interval."""
    return "no interval" if basis.has_optimum else "continued"


def details(basis: Basis, start: float) -> None:
    """The formula with its numbers, so that the answer can be followed by hand."""
    budget = format_flops(start)
    answer = plan(basis, Scenario(start))
    with st.expander(f"Where the numbers at {budget} FLOPs come from", icon=":material/functions:"):
        numbers = dict(zip(basis.law.parameter_names, map(format_latex, basis.theta.tolist()), strict=True))
        st.latex(basis.law.formula(numbers))
        if basis.has_optimum:
            st.latex(
                r"N^* = G\left(\tfrac{C}{6}\right)^{\beta/(\alpha+\beta)},\quad D^* = \frac{C}{6N^*},\quad "
                r"G = \left(\frac{\alpha A}{\beta B}\right)^{1/(\alpha+\beta)}"
            )
        counted = (
            "Training compute is counted as C = 6ND." if basis.has_optimum else "C is counted as these runs count it."
        )
        st.markdown(f"Law: {frame.plain(basis.title)}. Numbers: {frame.plain(basis.source)}. {counted}")
        if answer.intervals:
            st.markdown(
                f"An interval is the middle {DEFAULT_LEVEL:.0%} of what the bootstrap draws of the law say, each "
                "optimised for itself."
            )
        for note in answer.notes:
            st.markdown(f"- {frame.plain(note)}")
        frame.json_download(f"Plan at {budget} FLOPs as JSON", answer.to_json(), "plan.json", "plan_json")


frame.page("Plan", "What should we train with this budget, and how sure can we be?", body)
