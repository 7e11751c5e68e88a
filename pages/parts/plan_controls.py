"""What is asked of a planner: law, budget or loss, machine, data, demand. Each stands in the link."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from pages.parts import data, frame, machine, own_hardware, state
from scaling_core.errors import UserError
from scaling_core.planning import PUBLISHED, Basis, Budget, Demand, Scenario
from scaling_core.planning.goal import example, read_goal
from scaling_core.planning.typed import asked_back, doubtful_tokens, refuse_a_size_as_goal
from scaling_core.runs import LOSS, Metric
from scaling_core.units import format_flops, format_number

KIND = "fit"


def question(metric: Metric) -> None:
    """With which law, and how much, or how good by ``metric``."""
    instead = bool(state.get("goal").strip())
    st.selectbox("Law to plan with", basis_names(), key="basis", format_func=basis_title)
    st.text_input(
        "Budget (not used)" if instead else "Budget", key="budget", placeholder="1e24, $2M, 3 weeks", disabled=instead,
        help="FLOPs, dollars, GPU-hours, days or weeks, kWh: 5.76e23 · $2M · 5000 GPU-hours · 3 weeks · 200 MWh. "
        "Sets where the slider starts; moving the slider stays in your browser.",
    )  # fmt: skip
    what = "a loss" if metric == LOSS else frame.plain(metric.title)
    st.text_input(
        f"or {what} to reach", key="goal", placeholder=f"{example(metric)}, or 70B on 1.4T",
        help="The cheapest plan that reaches this, or is as good as this model. It takes the place of the budget.",
    )  # fmt: skip
    if instead:
        st.caption("The budget is not used while this is given: empty it to plan with a budget.")


def basis_names() -> list[str]:
    """Laws to plan with: this session's fit, kept fits, published constants."""
    kept = [f"{state.KEPT}{r.name}" for r in data.records().all(KIND)]
    now = state.get("basis")
    return [state.OWN_FIT, *kept, *([now] if now.startswith(state.KEPT) and now not in kept else []), *PUBLISHED]


def basis_title(name: str) -> str:
    """Name a law to plan with."""
    if name == state.OWN_FIT:
        return "Fitted to these runs"
    return f"Kept fit: {name.removeprefix(state.KEPT)}" if name.startswith(state.KEPT) else PUBLISHED[name].title


def assumptions() -> None:
    """What is assumed, the rest under More."""
    st.selectbox(
        "Accelerator", machine.hardware_names(), key="hardware", format_func=machine.hardware_title,
        help=machine.hardware_help(),
    )  # fmt: skip
    st.number_input("How many", 1, 10_000_000, key="gpus", help="Sets how long it takes, not what it costs.")
    st.slider(
        "Utilisation (MFU)", 1, 100, key="mfu", format="%d%%",
        help="Useful FLOP/s over the dense peak while training runs. 30 to 55% is usual for large runs; "
        "published ones are listed under *Machine*.",
    )  # fmt: skip
    st.text_input("Unique tokens", key="unique", placeholder="endless", help="Distinct tokens there are: 1.5T, say.")
    st.text_input(
        "Tokens to serve", key="demand", placeholder="none",
        help="Read and written over the model's life: 2T, say. A smaller model trained longer may then be cheaper.",
    )  # fmt: skip
    with st.popover("More", icon=":material/tune:", width="stretch"):
        _more()
    # Not under More: what pops up there would lie over the window.
    st.button(
        "An accelerator of your own", key="own_hardware", icon=":material/memory:", width="stretch", type="tertiary",
        on_click=own_hardware.ask,
    )  # fmt: skip
    own_hardware.draw()


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
    """What the controls say: a scenario, or what is wrong."""

    scenario: Scenario | None = None
    errors: list[UserError] = field(default_factory=list)

    def show(self) -> None:
        """Say what is wrong, all of it."""
        for error in self.errors:
            frame.show_error(error)


def asked(basis: Basis, fallback_flops: float) -> Asked:
    """Return what is asked; without a budget or something to reach, ``fallback_flops``. Asks back what is doubtful."""
    out = Asked()

    def read(get: Callable[[], Any]) -> Any:
        try:
            return get()
        except UserError as error:
            out.errors.append(error)
            return None

    terms = read(machine.terms)
    unique = read(lambda: machine.amount("unique"))
    served = read(lambda: machine.amount("demand"))
    size = read(lambda: machine.amount("size"))
    decode = read(lambda: Demand.read_utilisation(state.get("decode")))
    typed, good = state.get("budget").strip(), state.get("goal").strip()
    loss = read(lambda: _goal(good, basis)) if good else None
    flops = None if good else fallback_flops
    if typed and not good and terms is not None:
        flops = read(lambda: float(Budget.parse(typed).flops(terms)))
    if out.errors:
        return out
    demand = Demand(served or 0.0, written_share=state.get("written") / 100, decode_mfu=decode)
    out.scenario = read(lambda: Scenario(
        flops, loss=loss, params=size, unique_tokens=math.inf if unique is None else unique, demand=demand, terms=terms,
    ))  # fmt: skip
    if out.scenario is not None:
        _ask_back(out.scenario, typed, good)
    return out


def _goal(text: str, basis: Basis) -> float:
    refuse_a_size_as_goal(text)
    return read_goal(text, basis, tuple(data.mappings().values()))


def _ask_back(scenario: Scenario, typed: str, good: str) -> None:
    """What is asked back beside an answer: how something was read, and what is out of all proportion."""
    said = [] if good else asked_back(typed, scenario.flops)
    size, flops = scenario.params, scenario.flops
    if size and flops and flops < 6 * size:
        said.append(
            f"{format_flops(flops)} FLOPs is less than one token of a model of {format_number(size)} parameters."
        )
    said += doubtful_tokens(scenario.unique_tokens, "Unique tokens")
    said += doubtful_tokens(scenario.demand.tokens, "Tokens to serve")
    if said:
        st.warning(frame.plain(" ".join(said)), icon=":material/help:")
