"""The answer of a plan: one sentence, the cards, and why to trust it."""

from __future__ import annotations

import math

import streamlit as st

from pages.parts import analyses, data, frame, state
from scaling_core.fitting.finding import SEVERITIES, Finding
from scaling_core.planning import Basis, Plan, Scenario, basis_of_published, get_published
from scaling_core.planning.downstream import downstream
from scaling_core.planning.figures import carbon, duration, energy, hours, money, peak, rate
from scaling_core.planning.words import between, is_brief, sentence
from scaling_core.runs import Metric
from scaling_core.units import format_flops, format_number, format_percent, format_ratio

#: An interval stays on one line.
_NO_BREAK = "\u2060"
#: So many times beyond its runs a law is no ground for a plan. A judgement: thrice the decade that forecasts span.
_HOPELESS = 1e3
#: What is planned with instead.
_WIDELY_USED = "besiroglu"


def say(scenario: Scenario, answer: Plan, metric: Metric) -> None:
    """One line that a stakeholder can read."""
    text = sentence(scenario, answer, lambda s: f"\x00{s}\x01", metric)
    text = text.replace("–", f"{_NO_BREAK}–{_NO_BREAK}")
    with st.container(key="answer"):
        st.markdown(f"### {frame.plain(text).replace(chr(0), ':primary[').replace(chr(1), ']')}")


def doubts(basis: Basis, answer: Plan) -> None:
    """One line on what speaks against the fit behind the answer, the worst first, so that nobody can miss it."""
    if _is_hopeless(basis, answer):
        return
    if not basis.has_optimum:
        st.markdown(f":blue[:material/info: {frame.plain(basis.notes[-1])}]")
    found = looked_at()
    if found is None:
        st.caption("What speaks against this fit was not kept with it: only its solve is judged here.")
    grave = _grave(basis, found or ())
    if not grave:
        return
    severity, text = grave[0]
    color, icon = ("red", ":material/error:") if severity == "problem" else ("orange", ":material/warning:")
    where = "on Law" if state.get("basis") == state.OWN_FIT else "under Trust"
    more = f" · {len(grave) - 1} more {where}" if len(grave) > 1 else ""
    st.markdown(f":{color}[{icon} **This plan stands on a doubtful fit.** {frame.plain(text)}{more}]")


def _is_hopeless(basis: Basis, answer: Plan) -> bool:
    """Say so where the budget lies so far from the runs that the answer is no plan, with a way out."""
    times = answer.extrapolation.get("flops", 1.0)
    far = max(times, 1 / times)
    if far < _HOPELESS:
        return False
    side = "beyond the largest" if times > 1 else "below the smallest"
    there = basis_of_published(get_published(_WIDELY_USED))
    low, high = there.ranges["flops"]
    nearer = low / _HOPELESS < answer.flops < high * _HOPELESS and state.get("basis") != _WIDELY_USED
    text, way_out = st.columns([3.2, 1], vertical_alignment="center") if nearer else (st.container(), None)
    text.warning(
        f"**This is no plan, only where the curve would end.** The compute lies {format_ratio(far)} {side} run of this "
        "law, which nobody has seen hold there.",
        icon=":material/error:",
    )
    if way_out is not None:
        way_out.button(
            "Plan with Chinchilla's law", key="plan_published", icon=":material/menu_book:", on_click=state.put,
            kwargs={"basis": _WIDELY_USED}, help=f"{there.title}: its runs are nearer to this budget.",
        )  # fmt: skip
    return True


def looked_at() -> tuple[Finding, ...] | None:
    """What was found of the fit that is planned with: now, or when it was kept; None where that was not kept."""
    chosen = state.get("basis")
    if chosen == state.OWN_FIT:
        return analyses.findings()
    return data.kept_fit(chosen.removeprefix(state.KEPT)).findings if chosen.startswith(state.KEPT) else ()


def _grave(basis: Basis, findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Problems, then doubts: those that were found, else those of the solve."""
    found = [(f.severity, f.text) for f in findings if f.severity in ("problem", "doubt")]
    found.sort(key=lambda f: SEVERITIES.index(f[0]))
    return found or [("doubt", reason) for reason in basis.doubts]


def cards(scenario: Scenario, answer: Plan) -> None:
    """Cost, time, energy and carbon, each with what it follows from a hover away."""
    if answer.gpu_hours is None or scenario.terms is None:
        return
    if is_brief(answer):
        _brief(scenario, answer)
        return
    terms = scenario.terms
    useful = f"{format_flops(float(terms.flops_per_gpu_hour))} useful FLOPs an hour"
    shown = [
        ("Cost", money(answer.cost_usd or 0.0), between(answer, "cost_usd", money),
         f"hours × price. {_price(scenario)}"),
        ("Time", duration(answer.days or 0.0), between(answer, "days", duration),
         f"C / ({useful} × {float(terms.n_gpus):,.0f} accelerators)"),
        ("Accelerator-hours", hours(answer.gpu_hours), between(answer, "gpu_hours", hours),
         f"C / ({useful}): {peak(terms.hardware.peak(terms.precision))} at peak × "
         f"{format_percent(float(terms.all_in_utilisation))} all-in"),
        ("Energy", energy(answer.energy_kwh or 0.0), between(answer, "energy_kwh", energy),
         f"hours × rated power × PUE {float(terms.power.pue):g}. {terms.power.convention}"),
        ("CO₂e", carbon(answer.co2e_kg or 0.0), between(answer, "co2e_kg", carbon),
         f"energy × {float(terms.power.carbon_kg_per_kwh):g} kg/kWh (United States, mean)"),
    ]  # fmt: skip
    if answer.lifetime_saving is not None:
        shown.append(_over_life(answer, answer.lifetime_saving))
    with st.container(horizontal=True, key="cards"):
        for label, value, interval, source in shown:
            st.metric(label, value, interval.strip(" ()") or None, delta_color="off", delta_arrow="off", help=source)


def _brief(scenario: Scenario, answer: Plan) -> None:
    """Instead of cards that all say next to nothing: that it is so, and what can be planned for instead."""
    with st.container(horizontal=True, vertical_alignment="center", key="brief"):
        st.markdown(
            "So little compute is no question of cost, of energy or of how many accelerators: one takes "
            f"{duration((answer.gpu_hours or 0.0) / 24)}."
        )
        if state.get("hardware") != state.THIS_MACHINE:
            here = {"hardware": state.THIS_MACHINE, "gpus": 1, "price": "", "peak": "", "precision": ""}
            st.button("Plan with this machine", key="plan_here", icon=":material/computer:", on_click=state.put,
                      kwargs=here)  # fmt: skip
    if answer.lifetime_saving is not None:
        label, value, interval, source = _over_life(answer, answer.lifetime_saving)
        st.metric(label, value, interval.strip(" ()") or None, delta_color="off", delta_arrow="off", help=source)


def _over_life(answer: Plan, saved: float) -> tuple[str, str, str, str]:
    """What the plan saves beside the model that is cheapest to train; of a size that was asked for, what it costs."""
    of = "6ND + 2N·D_inference of this model and of the one that is cheapest to train for the same loss"
    source = "(Sardana et al. 2023, arXiv 2401.00448)"
    if saved >= 0:
        pair = between(answer, "lifetime_saving", format_percent)
        return "Saved over its life", format_percent(saved), pair, f"1 − the ratio of {of} {source}"
    low, high = sorted(1 - v for v in answer.intervals.get("lifetime_saving", (saved, saved)))
    pair = f"{format_ratio(low)}–{format_ratio(high)}" if low < high else ""
    return "Cost over its life", format_ratio(1 - saved), pair, f"The ratio of {of} {source}"


def metrics(answer: Plan) -> None:
    """Metrics at the plan's loss, by kept fits that read a loss."""
    for name, fit in data.mappings().items() if math.isfinite(answer.loss) else ():
        found = downstream(fit, answer)
        st.markdown(
            f":material/target: **{frame.plain(fit.metric.title)}** at this loss: {format_number(found.value)} "
            f"({format_number(found.low)} to {format_number(found.high)}), by the kept fit {frame.plain(name)}."
        )


def _price(scenario: Scenario) -> str:
    terms = scenario.terms
    assert terms is not None  # cards are drawn with a machine only
    known = terms.hardware.price
    if terms.price_usd_per_hour is not None:
        return f"The price is your own: {rate(float(terms.price_usd_per_hour))} an hour."
    if known is None:
        return "No price is known for it: type one under More."
    return f"{rate(known.typical)} an hour ({rate(known.low)} to {rate(known.high)}; {known.date}; {known.source})."
