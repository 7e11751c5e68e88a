"""What is asked of a planner: law, budget or loss, machine, data, demand. Each stands in the link."""

from __future__ import annotations

import math

import streamlit as st

from pages.parts import data, machine, state
from scaling_core.planning import PUBLISHED, Basis, Budget, Demand, Scenario
from scaling_core.planning.goal import read_goal

KIND = "fit"


def question() -> None:
    """The row above the answer: with which law, and how much, or how good."""
    law, budget, goal = st.columns([2.4, 1.5, 1.2], vertical_alignment="bottom")
    law.selectbox("Law to plan with", basis_names(), key="basis", format_func=basis_title)
    budget.text_input(
        "Budget", key="budget", placeholder="1e24, $2M, 3 weeks",
        help="FLOPs, dollars, GPU-hours, days or weeks, kWh: 5.76e23 · $2M · 5000 GPU-hours · 3 weeks · 200 MWh. "
        "Sets where the slider starts; moving the slider stays in your browser.",
    )  # fmt: skip
    goal.text_input(
        "or a loss to reach", key="goal", placeholder="2.1, or 70B on 1.4T",
        help="The cheapest plan that reaches this loss, or is as good as this model. It takes the place of the budget.",
    )  # fmt: skip


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


def assumptions() -> None:
    """The row of what is assumed: machine, utilisation, data, demand; the rest under More."""
    accelerator, gpus, mfu, unique, demand, more = st.columns([2, 1, 1.3, 1.2, 1.3, 0.9], vertical_alignment="bottom")
    accelerator.selectbox("Accelerator", machine.hardware_names(), key="hardware", help=machine.hardware_help())
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
    st.slider(
        "Utilisation while writing", 0, 100, key="decode", format="%d%%",
        help="Tokens are written one by one, at a far lower utilisation than training. 0 counts FLOPs alike.",
    )  # fmt: skip


def scenario(basis: Basis, fallback_flops: float) -> Scenario:
    """Return what is asked; without a budget or a loss, ``fallback_flops``.

    Raises
    ------
    UserError
        If something typed cannot be read or be.
    """
    typed, good = state.get("budget").strip(), state.get("goal").strip()
    goal = read_goal(good, basis) if good else None
    terms, unique = machine.terms(), machine.amount("unique")
    flops = None if goal else float(Budget.parse(typed).flops(terms)) if typed else fallback_flops
    return Scenario(
        flops,
        loss=goal,
        params=machine.amount("size"),
        unique_tokens=math.inf if unique is None else unique,
        demand=Demand(
            machine.amount("demand") or 0.0,
            written_share=state.get("written") / 100,
            decode_mfu=state.get("decode") / 100 or None,
        ),
        terms=terms,
    )
