"""The machine of a plan, as chosen on the page."""

from __future__ import annotations

import streamlit as st

from pages.parts import data, state
from scaling_core.errors import UserError
from scaling_core.planning import Terms, get_hardware, known_hardware
from scaling_core.planning.figures import rate
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.hardware_measure import measure_this_machine
from scaling_core.planning.typed import read_amount_of, read_peak, read_price

KIND = "hardware"


def hardware_names() -> list[str]:
    """This machine, accelerators of one's own, and those of the table."""
    own = [f"{state.OWN}{record.name}" for record in data.records().all(KIND)]
    names = [*(h.name for h in known_hardware()), *own, state.THIS_MACHINE]
    now = state.get("hardware")
    return names if now in names else [*names, now]


def hardware_title(name: str) -> str:
    """Name an accelerator to choose."""
    if name == state.THIS_MACHINE:
        return "This machine, measured"
    return f"Own: {name.removeprefix(state.OWN)}" if name.startswith(state.OWN) else name


def hardware_help() -> str:
    """Where the numbers of the chosen accelerator come from."""
    name = state.get("hardware")
    if name == state.THIS_MACHINE:
        return "Measured here with a matrix product. It has no price and no power: type a price under More."
    if name.startswith(state.OWN):
        return "Given by hand, below."
    chosen = get_hardware(name)
    price = f"{rate(chosen.price.typical)}/h ({chosen.price.date})" if chosen.price else "no price known"
    return f"{chosen.name}: {price}. Sources agree: {chosen.verified}. {chosen.source}"


def price_hint() -> str:
    """The price that holds unless another is typed."""
    try:
        known = hardware().price
    except UserError:
        return "not known"
    return (
        f"{rate(known.typical).removeprefix('$')} ({known.date})"
        if known and known.date
        else (rate(known.typical).removeprefix("$") if known else "not known")
    )


def base() -> Hardware:
    """Return the chosen accelerator as it is in the table, kept or measured.

    Raises
    ------
    UserError
        If one of one's own is no longer kept here.
    """
    name = state.get("hardware")
    if name == state.THIS_MACHINE:
        return _measured()
    if name.startswith(state.OWN):
        return Hardware.from_json(data.records().get(KIND, name.removeprefix(state.OWN)).data)
    return get_hardware(name)


@st.cache_resource(show_spinner="Measuring this machine")
def _measured() -> Hardware:
    return measure_this_machine()


def hardware() -> Hardware:
    """Return the chosen accelerator, with a peak of one's own where one is typed."""
    chosen, typed = base(), read_peak(state.get("peak"))
    if typed is None:
        return chosen
    precision = state.get("precision") or chosen.training_precision
    rest = {k: v for k, v in chosen.to_json().items() if k not in ("name", "peak_flops_per_s")}
    return Hardware.from_json({**rest, "name": f"{chosen.name}, own peak", "peak_flops_per_s": {precision: typed}})


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
        price_usd_per_hour=read_price(state.get("price")),
        restart_share=state.get("lost") / 100,
    )


def amount(key: str) -> float | None:
    """Return a count that was typed, or None where nothing was.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    name, fix, least = _FIELDS[key]
    return read_amount_of(str(state.get(key)), name, fix, least)


_FIELDS = {
    "size": ("Size", "Write parameters: 7B, say.", 1.0),
    "unique": ("Unique tokens", "Write tokens: 1.5T, say, or leave it empty for endless data.", 1.0),
    "demand": ("Tokens to serve", "Write tokens: 2T, say, or leave it empty.", 0.0),
}
