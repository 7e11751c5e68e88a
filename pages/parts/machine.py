"""The machine of a plan, as chosen on the page."""

from __future__ import annotations

import streamlit as st

from pages.parts import state
from scaling_core.errors import UserError
from scaling_core.planning import Terms, get_hardware, known_hardware
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.hardware_measure import measure_this_machine
from scaling_core.units import parse_quantity


def hardware_names() -> list[str]:
    """Accelerators of the table, and this machine."""
    return [*(h.name for h in known_hardware()), state.THIS_MACHINE]


def hardware_help() -> str:
    """Where the numbers of the chosen accelerator come from."""
    if state.get("hardware") == state.THIS_MACHINE:
        return "Measured here with a matrix product."
    chosen = get_hardware(state.get("hardware"))
    price = f"${chosen.price.typical:g}/h ({chosen.price.date})" if chosen.price else "no price known"
    return f"{chosen.name}: {price}. Sources agree: {chosen.verified}. {chosen.source}"


def price_hint() -> str:
    """The price that holds unless another is typed."""
    known = hardware().price
    return f"{known.typical:g} ({known.date})" if known else "not known"


@st.cache_resource(show_spinner="Measuring this machine")
def _measured() -> Hardware:
    return measure_this_machine()


def hardware() -> Hardware:
    """Return the chosen accelerator, with a peak of one's own where one is typed."""
    chosen = _measured() if state.get("hardware") == state.THIS_MACHINE else get_hardware(state.get("hardware"))
    typed = amount("peak")
    if typed is None:
        return chosen
    precision = state.get("precision") or chosen.training_precision
    rest = {k: v for k, v in chosen.to_json().items() if k not in ("name", "peak_flops_per_s")}
    return Hardware.from_json(
        {**rest, "name": f"{chosen.name}, own peak", "peak_flops_per_s": {precision: typed * 1e12}}
    )


def terms() -> Terms:
    """Return the machine as chosen.

    Raises
    ------
    UserError
        If a number cannot be read or be.
    """
    return Terms(
        hardware(),
        precision=state.get("precision"),
        mfu=state.get("mfu") / 100,
        n_gpus=state.get("gpus"),
        price_usd_per_hour=amount("price"),
        restart_share=state.get("lost") / 100,
    )


def amount(key: str) -> float | None:
    """Return a number that was typed, or None where nothing was.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    text = str(state.get(key)).strip().removeprefix("$")
    if not text:
        return None
    try:
        return parse_quantity(text)
    except UserError as error:
        raise UserError(error.what, where=_NAMES[key], fix=error.fix) from None


_NAMES = {
    "size": "Size", "unique": "Unique tokens", "demand": "Tokens to serve", "price": "Price",
    "peak": "Peak",
}  # fmt: skip
