"""Plan: what should we train with this budget?"""

from dataclasses import replace

import streamlit as st

from pages.parts import analyses, data, frame, plan_answer, plan_controls, plan_formulas, plan_sections, points, state
from scaling_core.charts.measured import named
from scaling_core.charts.plan import CHOSEN, CLICKED, CONTINUED, NO_INTERVAL, plan_chart
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.planning import MAX_FLOPS, MIN_FLOPS, Basis, Plan, Scenario, budget_of, plan
from scaling_core.planning.plan import with_doubts
from scaling_core.planning.typed import asked_back
from scaling_core.runs import LOSS
from scaling_core.units import format_flops

#: The slider spans this many times below the smallest and above the largest run, or this when neither is known.
_BELOW, _ABOVE, _UNKNOWN_SPAN = 10.0, 1e3, (1e18, 1e26)
#: Where the slider stands until a budget is typed: the next order of magnitude.
_NEXT = 10.0
#: The budget without runs.
_USUAL = 1e23


#: Widths of the controls and of the chart beside them.
_BESIDE = [1.0, 3.6]


def body() -> None:
    top = st.container()  # the answer comes first, though the controls beside the chart decide it
    controls, middle = st.columns(_BESIDE, gap="medium")
    basis, problem = basis_or_error()
    with controls:
        plan_controls.question(basis.metric if basis else LOSS)
        plan_controls.assumptions()
    if basis is None:  # published laws can still be chosen
        with middle:
            frame.show_error(problem)
            st.caption("Published laws can be planned with all the same: choose one on the left.")
            points.clear_button()
        return
    with middle:
        own = state.get("basis") == state.OWN_FIT
    found = answered(replace(basis, doubts=()) if own else basis)
    if found is None:
        top.info("There is no plan until what is marked below is put right.", icon=":material/edit:")
        return
    scenario, answer = found
    with top:
        plan_answer.say(scenario, answer, basis.metric)
        if own:  # the fit is looked at for this budget, which takes longer than the answer
            basis = replace(basis, doubts=analyses.verdict().reasons)
            answer = with_doubts(answer, basis)
        plan_answer.doubts(basis, answer)
        st.space("xsmall")
    with middle:
        main_chart(basis, scenario, answer)
    notes(basis, answer)
    plan_answer.cards(scenario, answer)
    if basis.metric == LOSS:
        plan_answer.metrics(answer)
    plan_sections.draw(basis, scenario, answer)
    details(basis, scenario, answer)


def basis_or_error() -> tuple[Basis | None, UserError | None]:
    """The law to plan with, or why there is none."""
    try:
        return data.basis(), None
    except UserError as error:
        return None, error


def answered(basis: Basis) -> tuple[Scenario, Plan] | None:
    """What is asked and its answer; where it cannot be, that is said in place of the chart, and no plan stands in."""
    asked = plan_controls.asked(basis, usual_budget())
    asked.show()
    if asked.scenario is None:
        return None
    try:
        answer = plan(basis, asked.scenario)
    except UserError as error:
        frame.show_error(error)
        return None
    if asked.scenario.loss is not None and (said := asked_back("", answer.flops)):
        st.warning(frame.plain(" ".join(said)), icon=":material/help:")
    return asked.scenario, answer


def usual_budget() -> float:
    """The budget until one is typed: the next order of magnitude after the runs, whichever law is planned with."""
    try:
        extent = data.current_fit().ranges.get("flops")
    except UserError:  # without a fit of these runs
        extent = None
    return min(max(extent[1] * _NEXT, MIN_FLOPS), MAX_FLOPS) if extent else _USUAL


def notes(basis: Basis, answer: Plan) -> None:
    """What is to be known beside the numbers, below the chart."""
    own = [n for n in answer.notes if n not in basis.notes and not n.startswith("The fit behind this plan")]
    if own:
        st.caption(f":material/info: {frame.plain(' '.join(own))}")


def span(basis: Basis) -> tuple[float, float]:
    """Budgets that the slider covers."""
    extent = basis.ranges.get("flops")
    low, high = (extent[0] / _BELOW, extent[1] * _ABOVE) if extent else _UNKNOWN_SPAN
    return max(low, MIN_FLOPS), min(high, MAX_FLOPS)


def main_chart(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """The frontier, with the budget as a slider in the browser."""
    low, high = span(basis)
    start = min(max(budget_of(basis, scenario), MIN_FLOPS), MAX_FLOPS)
    low, high = min(low, start), max(high, start)
    rows = data.plan_rows(scenario, low, high, start)
    frame.chart(
        plan_chart(
            rows,
            start,
            DEFAULT_LEVEL,
            frame.palette(),
            CONTINUED if basis.continues_the_runs else NO_INTERVAL,
            basis.metric,
        ),
        key="plan_chart",
        stacked=True,
        on_select=take_budget,
        alt_text=f"Best {basis.metric.title}, parameters and tokens for budgets from {format_flops(low)} to "
        f"{format_flops(high)} FLOPs, with a slider for the budget",
        rows=named(rows, basis.metric),
    )
    st.caption(
        "The slider and the numbers beside it only read the chart. Click *Plan for this budget* beside them, or the "
        "curve, and that budget becomes the plan above and goes into the link."
        + (" The band is where 90% of the draws of the law put each budget's model." if len(basis.draws) else "")
    )
    for note in basis.notes if basis.has_optimum else basis.notes[:-1]:
        st.caption(f":material/info: {frame.plain(note)}")


def take_budget() -> None:
    """Callback of the chart: the budget that was clicked is typed, so that all of the page and the link are of it."""
    selection = st.session_state["plan_chart"].get("selection", {})
    for name in (CHOSEN, CLICKED):
        if clicked := [p["flops"] for p in selection.get(name, []) if "flops" in p]:
            state.put(budget=format_flops(float(clicked[-1])), goal="")
            return


def details(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """The formula with its numbers, so that the answer can be followed by hand."""
    budget = format_flops(answer.flops)
    with st.expander(f"Where the numbers at {budget} FLOPs come from", icon=":material/functions:"):
        plan_formulas.draw(basis, scenario, answer)
        counted = (
            "Training compute is counted as C = 6ND." if basis.has_optimum else "C is counted as these runs count it."
        )
        st.markdown(f"Law: {frame.plain(basis.title)}. Numbers: {frame.plain(basis.source)}. {counted}")
        if answer.intervals:
            st.markdown(
                f"Intervals are the middle {DEFAULT_LEVEL:.0%} of the draws of the law. Of C, N and D: what each draw "
                f"would choose. Of the {basis.metric.title}: what each draw says of the N and D planned here."
            )
        for note in answer.notes:
            st.markdown(f"- {frame.plain(note)}")
        frame.json_download(
            f"Plan at {budget} FLOPs as JSON",
            {"scenario": scenario.to_json(), "plan": answer.to_json(basis.metric)},
            "plan.json",
            "plan_json",
        )


frame.page("Plan", "What should we train with this budget, and how sure can we be?", body)
