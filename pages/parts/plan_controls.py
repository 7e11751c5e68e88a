"""What is asked of a planner: law, budget or loss, machine, data, demand. Each stands in the link."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts import data, frame, machine, own_hardware, state
from scaling_core.errors import UserError
from scaling_core.planning import PUBLISHED, Basis, Budget, Demand, Scenario
from scaling_core.planning.goal import read_goal
from scaling_core.planning.typed import asked_back, doubtful_tokens, refuse_a_size_as_goal
from scaling_core.units import format_flops, format_number

KIND = "fit"


def question() -> DeltaGenerator:
    """The row above the answer: with which law, and how much, or how good. Returns the place below for complaints."""
    instead = bool(state.get("goal").strip())
    law, budget, goal = st.columns([2.4, 1.5, 1.2], vertical_alignment="bottom")
    law.selectbox("Law to plan with", basis_names(), key="basis", format_func=basis_title)
    budget.text_input(
        "Budget (not used)" if instead else "Budget", key="budget", placeholder="1e24, $2M, 3 weeks", disabled=instead,
        help="FLOPs, dollars, GPU-hours, days or weeks, kWh: 5.76e23 · $2M · 5000 GPU-hours · 3 weeks · 200 MWh. "
        "Sets where the slider starts; moving the slider stays in your browser.",
    )  # fmt: skip
    goal.text_input(
        "or a loss to reach", key="goal", placeholder="2.1, or 70B on 1.4T",
        help="The cheapest plan that reaches this loss, or is as good as this model. It takes the place of the budget.",
    )  # fmt: skip
    if instead:
        st.caption("The budget is not used while a loss to reach is given: empty that field to plan with a budget.")
    return st.container()


def basis_names() -> list[str]:
    """Laws to plan with: this session's fit, kept fits, published constants."""
    kept = [f"{state.KEPT}{r.name}" for r in data.records().all(KIND)]
    now = state.get("basis")
    return [state.OWN_FIT, *kept, *([now] if now.startswith(state.KEPT) and now not in kept else []), *PUBLISHED]


def basis_title(name: str) -> str:
    """Name a law to plan with."""
    if name == state.OWN_FIT:
        return "The law fitted to these runs"
    return f"Kept fit: {name.removeprefix(state.KEPT)}" if name.startswith(state.KEPT) else PUBLISHED[name].title


def assumptions() -> DeltaGenerator:
    """The row of what is assumed, the rest under More. Returns the place below for complaints."""
    accelerator, gpus, mfu, unique, demand, more = st.columns([2, 1, 1.3, 1.2, 1.3, 0.9], vertical_alignment="bottom")
    accelerator.selectbox(
        "Accelerator", machine.hardware_names(), key="hardware", format_func=machine.hardware_title,
        help=machine.hardware_help(),
    )  # fmt: skip
    gpus.number_input("How many", 1, 10_000_000, key="gpus", help="Sets how long it takes, not what it costs.")
    mfu.slider(
        "Utilisation (MFU)", 1, 100, key="mfu", format="%d%%",
        help="Useful FLOP/s over the dense peak while training runs. 30 to 55% is usual for large runs; "
        "published ones are listed under *Machine*.",
    )  # fmt: skip
    unique.text_input(
        "Unique tokens", key="unique", placeholder="endless", help="Distinct tokens there are: 1.5T, say."
    )
    demand.text_input(
        "Tokens to serve", key="demand", placeholder="none",
        help="Read and written over the model's life: 2T, say. A smaller model trained longer may then be cheaper.",
    )  # fmt: skip
    with more.popover("More", icon=":material/tune:", width="stretch"):
        _more()
    return st.container()


def _more() -> None:
    st.text_input(
        "A size that is wanted", key="size", placeholder="the best", help="7B, say, instead of the best size."
    )
    st.selectbox(
        "Number format", ["", *state.PRECISIONS], key="precision",
        format_func=lambda p: p.upper() if p else "as usual for training here",
    )  # fmt: skip
    st.text_input("Price of an hour, $", key="price", placeholder=machine.price_hint())
    st.text_input("Peak, TFLOP/s", key="peak", placeholder="as in the table", help="Of your own accelerator, dense.")
    with st.expander("An accelerator of your own", icon=":material/memory:"):
        own_hardware.draw()
    st.slider(
        "Time lost to restarts and waiting", 0, 60, key="lost", format="%d%%",
        help="0 plans with the headline utilisation. Paid time in which nothing is trained makes it all-in.",
    )  # fmt: skip
    st.slider("Share of served tokens that are written", 0, 100, key="written", format="%d%%")
    st.text_input(
        "Decode (writing) utilisation, %", key="decode", placeholder="as in training",
        help="Model FLOPs utilisation while tokens are written (decoded) one by one: often 1 to 15%, far lower than in "
        "training, so a written token costs more than its FLOPs say. Empty: as in training.",
    )  # fmt: skip


@dataclass
class Asked:
    """What the controls say: a scenario, or what is wrong, under the row of controls where it is."""

    scenario: Scenario | None = None
    errors: list[tuple[DeltaGenerator, UserError]] = field(default_factory=list)

    def show(self) -> None:
        """Say what is wrong, each where it stands, and that there is no plan until it is put right."""
        for place, error in self.errors:
            with place:
                frame.show_error(error)


def asked(basis: Basis, fallback_flops: float, first: DeltaGenerator, second: DeltaGenerator) -> Asked:
    """Return what is asked; without a budget or a loss, ``fallback_flops``. ``first``, ``second`` take complaints."""
    out = Asked()

    def read(place: DeltaGenerator, get: Callable[[], Any]) -> Any:
        try:
            return get()
        except UserError as error:
            out.errors.append((place, error))
            return None

    terms = read(second, machine.terms)
    unique = read(second, lambda: machine.amount("unique"))
    served = read(second, lambda: machine.amount("demand"))
    size = read(second, lambda: machine.amount("size"))
    decode = read(second, lambda: Demand.read_utilisation(state.get("decode")))
    typed, good = state.get("budget").strip(), state.get("goal").strip()
    loss = read(first, lambda: _goal(good, basis)) if good else None
    flops = None if good else fallback_flops
    if typed and not good and terms is not None:
        flops = read(first, lambda: float(Budget.parse(typed).flops(terms)))
    if out.errors:
        return out
    demand = Demand(served or 0.0, written_share=state.get("written") / 100, decode_mfu=decode)
    out.scenario = read(first, lambda: Scenario(
        flops, loss=loss, params=size, unique_tokens=math.inf if unique is None else unique, demand=demand, terms=terms,
    ))  # fmt: skip
    if out.scenario is not None:
        _ask_back(out.scenario, typed, good, first, second)
    return out


def _goal(text: str, basis: Basis) -> float:
    refuse_a_size_as_goal(text)
    return read_goal(text, basis)


def _ask_back(scenario: Scenario, typed: str, good: str, first: DeltaGenerator, second: DeltaGenerator) -> None:
    """What is asked back beside an answer: how something was read, and what is out of all proportion."""
    said = [] if good else asked_back(typed, scenario.flops)
    size, flops = scenario.params, scenario.flops
    if size and flops and flops < 6 * size:
        said.append(
            f"{format_flops(flops)} FLOPs is less than one token of a model of {format_number(size)} parameters."
        )
    if said:
        first.warning(frame.plain(" ".join(said)), icon=":material/help:")
    doubts = doubtful_tokens(scenario.unique_tokens, "Unique tokens")
    doubts += doubtful_tokens(scenario.demand.tokens, "Tokens to serve")
    if doubts:
        second.warning(frame.plain(" ".join(doubts)), icon=":material/help:")
