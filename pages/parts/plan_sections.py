"""What explains a plan, below its chart: one section at a time, worked out when it is opened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.parts import (
    analyses,
    frame,
    law_findings,
    plan_answer,
    plan_machine,
    plan_scenarios,
    plan_shapes,
    plan_whatif,
    state,
)
from scaling_core.charts.epochs import epochs_chart
from scaling_core.charts.laws import laws_chart
from scaling_core.charts.lifetime import lifetime_chart
from scaling_core.charts.measured import named
from scaling_core.charts.pareto import pareto_chart
from scaling_core.charts.tornado import tornado_chart
from scaling_core.charts.valley import valley_chart
from scaling_core.planning import (
    PUBLISHED,
    Basis,
    Plan,
    Scenario,
    basis_of_published,
    budget_of,
    budgets,
    frontier,
    get_published,
)
from scaling_core.planning.figures import passes, size
from scaling_core.planning.lifetime import crossover
from scaling_core.planning.repeats import SOURCE, no_return
from scaling_core.planning.valley import ZONES, valley, zone
from scaling_core.planning.whatmatters import pareto, tornado
from scaling_core.runs import LOSS
from scaling_core.units import format_ratio

#: A plan below this share of the size that is best to train is said to differ.
_SMALLER = 0.99
Section = Callable[[Basis, Scenario, Plan], None]
_LOOK = {"problem": (":material/error:", "red"), "doubt": (":material/warning:", "orange"),
         "good": (":material/check_circle:", "green")}  # fmt: skip


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """One section at a time; the link keeps which."""
    st.segmented_control(
        "Look closer", list(state.PLAN_SECTIONS), key="closer", required=True, format_func=lambda n: _DRAW[n][0]
    )
    _, section = _DRAW[state.get("closer")]
    with frame.worded_errors():
        section(basis, scenario, answer)


def trusted(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """How far the plan can be trusted."""
    for check in analyses.trust_of(basis, scenario, answer):
        icon, color = _LOOK[check.severity]
        st.markdown(f":{color}[{icon}] {frame.plain(check.text)}")
    if state.get("basis").startswith(state.KEPT) and (found := plan_answer.looked_at()):
        with st.expander("What was found of this fit when it was kept", icon=":material/checklist:", expanded=True):
            for finding in found:
                law_findings.line(finding)


def sizes(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """How little it costs to take another size."""
    asked = replace(scenario, params=None, loss=None, flops=scenario.flops or answer.flops)
    rows = valley(basis, asked)
    zones = [(extra, *zone(basis, asked, extra)) for extra in ZONES]
    frame.chart(
        valley_chart(rows, zones, frame.palette(), basis.metric),
        key="valley_chart",
        stacked=True,
        alt_text=f"{basis.metric.title} of models of other sizes with the same budget, and the compute they take to be "
        "as good",
        rows=named(rows, basis.metric),
    )
    st.caption(
        f"Any size in a zone reaches the {frame.plain(basis.metric.title)} of the best one with so much more compute: "
        "choose what is handy to serve."
    )
    best = rows.loc[(rows["factor"] - 1).abs().idxmin(), "params"]
    if scenario.demand.tokens and scenario.params is None and answer.params < _SMALLER * best:
        st.caption(
            f":material/info: The chart is of training alone. The plan takes {size(answer.params)} in place of "
            f"the best {size(best)}: what it serves makes a smaller model cheaper over its life."
        )
    plan_shapes.draw(answer, of_loss=basis.metric == LOSS)


def life(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """What serving does to the best size."""
    asked = scenario.demand.tokens
    middle = asked or 10 * answer.tokens
    demands = budgets(middle / 1e3, middle * 1e3)[::6]
    rows = crossover(basis, scenario, demands)
    frame.chart(
        lifetime_chart(rows, frame.palette(), asked or None),
        key="lifetime_chart",
        stacked=True,
        alt_text="The size that is cheapest over a model's life against how much it serves, and what it saves",
        rows=rows,
    )
    if not asked:
        st.caption("Type the tokens to serve above, and the plan is the cheapest over the model's life.")
    if scenario.params is not None:
        st.caption(_beside_the_wanted_size(scenario, answer))


def _beside_the_wanted_size(scenario: Scenario, answer: Plan) -> str:
    """That the chart is of the best size, and what the wanted one costs beside it."""
    assert scenario.params is not None  # asked only of a wanted size
    wanted = (
        f":material/info: The chart is of the size that is best, for the {'goal' if scenario.loss else 'loss'} that "
        f"{'is asked for' if scenario.loss else 'the budget reaches with it'}, not of the {size(scenario.params)} that "
        "are wanted."
    )
    if answer.lifetime_saving is None or not math.isfinite(answer.lifetime_saving):
        return wanted
    ratio = format_ratio(1 - answer.lifetime_saving)
    return f"{wanted} Those take {ratio} the compute over their life of the model cheapest to train for their own loss."


def limited(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """What passing over the same data again is worth."""
    unique = scenario.unique_tokens
    shown = unique if math.isfinite(unique) else answer.tokens
    decays = basis.decays(scenario)
    if decays is None:
        st.info("This formula says itself what repeated tokens are worth: it has no R_D*.", icon=":material/info:")
        return
    figure = epochs_chart(shown, answer.tokens, frame.palette(), decays.tokens, decays.interval(scenario.level))
    frame.chart(
        figure,
        key="epochs_chart",
        alt_text="What tokens seen again are worth, and where repeating no longer pays",
        rows=figure.frames.by_name["curve"][["passes", "worth", "worth_low", "worth_high"]],
    )
    st.caption(
        f"{frame.plain(decays.text(scenario.level))} After {passes(no_return(decays.tokens))} passes a token is "
        f"worth a tenth of a new one. The formula: {SOURCE}, eq. 5."
    )
    if not math.isfinite(unique):
        st.caption("Type the unique tokens above to plan with limited data.")


def matters(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """What the plan hangs on."""
    metric = basis.metric
    reached = "Loss" if metric == LOSS else metric.title
    choices = {"loss": reached, "params": "Parameters", "cost_usd": "Cost", "tokens": "Tokens"}
    chosen = st.segmented_control("Follow", list(choices), format_func=choices.get, required=True, key="follow")
    rows = tornado(basis, scenario, chosen)
    if chosen == "loss" and scenario.loss is not None:
        st.info(f"The {frame.plain(metric.title)} is what you ask for: follow what it takes.", icon=":material/info:")
        rows = rows.iloc[:0]
    if chosen == "loss":
        rows = rows.assign(**{n: metric.shown(rows[n].to_numpy(dtype=float)) for n in ("low", "high", "base")})
    if len(rows):
        st.markdown(f"**How far {frame.plain(choices[chosen].lower())} moves with each input,** widest first")
        frame.chart(
            tornado_chart(rows, choices[chosen], frame.palette()),
            key="tornado_chart",
            alt_text=f"How far {choices[chosen].lower()} moves with each input",
            rows=rows,
        )
    elif chosen != "loss" or scenario.loss is None:
        st.info("Nothing that can be moved by a tenth changes this number.", icon=":material/info:")
    if scenario.terms is not None and basis.has_optimum:
        start = budget_of(basis, scenario)
        curve = pareto(basis, scenario, budgets(start / 100, start * 100, through=start)[::10])
        st.markdown(f"**What more money buys:** {frame.plain(reached.lower())} against cost, each point the best model")
        frame.chart(
            pareto_chart(curve, frame.palette(), metric, start),
            key="pareto_chart",
            alt_text=f"{reached} against cost: what more money buys",
            rows=named(curve, metric),
        )


def laws(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Several laws on the same budgets, so that disagreement is seen."""
    names = st.multiselect(
        "Compare with", list(PUBLISHED), key="other_laws",
        format_func=lambda n: PUBLISHED[n].title,
    )  # fmt: skip
    flops = budgets(answer.flops / 1e3, answer.flops * 1e3)[::10]
    parts = []
    plain = Scenario(float(flops[0]))
    for title, other in (
        (basis.title, basis),
        *((PUBLISHED[n].title, basis_of_published(get_published(n))) for n in names),
    ):
        rows = frontier(other, flops, None, plain)
        if other.metric != basis.metric:  # a loss is not to be compared with an accuracy
            rows["loss"] = math.nan
        parts.append(rows[["flops", "params", "tokens", "loss"]].assign(law=title))
    rows = pd.concat(parts, ignore_index=True)
    frame.chart(
        laws_chart(rows, answer.flops, frame.palette(), basis.metric),
        key="laws_chart",
        stacked=True,
        alt_text=f"Best size and {basis.metric.title} against compute by several laws",
        rows=named(rows, basis.metric),
    )
    if basis.metric != LOSS and names:
        st.caption(
            f"The published laws are of loss: only the best size can be compared with a law of "
            f"{frame.plain(basis.metric.title)}."
        )
    for n in names:
        for caveat in PUBLISHED[n].caveats:
            st.caption(f":material/info: {frame.plain(f'{PUBLISHED[n].title}: {caveat}')}")


_DRAW: dict[str, tuple[str, Section]] = {
    "trust": ("Trust", trusted),
    "sizes": ("Other sizes", sizes),
    "life": ("Lifetime", life),
    "data": ("Data limit", limited),
    "machine": ("Machine", plan_machine.draw),
    "next": ("Next experiments", plan_scenarios.experiments),
    "matters": ("What matters", matters),
    "laws": ("Laws compared", laws),
    "whatif": ("What if", plan_whatif.draw),
    "keep": ("Scenarios", plan_scenarios.draw),
}
