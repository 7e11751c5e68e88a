"""Accelerators of one's own: every number given by hand, kept under a name, taken out again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.parts import data, frame, machine, state
from scaling_core.errors import UserError
from scaling_core.planning import PRECISIONS
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.typed import read_amount_of, read_peak, read_price
from scaling_core.units import format_number

_OPEN = "_own_hardware"
#: Fields beside name and peaks: what they are called, and their unit.
_SIZES = {
    "memory_gb": "Memory, GB",
    "memory_bandwidth_gb_per_s": "Memory bandwidth, GB/s",
    "tdp_w": "Power, W",
    "intranode_gb_per_s": "Link in one node, GB/s",
    "gpus_per_node": "Accelerators in a node",
}


def ask() -> None:
    """Callback of the button: open the form."""
    st.session_state[_OPEN] = True


def draw() -> None:
    """The form in a window of its own, where it was asked for."""
    if st.session_state.pop(_OPEN, False):
        _window()


@st.dialog("An accelerator of your own", width="large", icon=":material/memory:")
def _window() -> None:
    """The form, filled with the chosen accelerator, and the way to forget one."""
    try:
        start = machine.base()
    except UserError as error:
        frame.show_error(error)
        start = None
    version = state.get("hardware")
    st.caption("Starts from the accelerator that is chosen. What is left empty is not known.")
    with st.form(f"own_hardware_{version}", border=False):
        own = version.removeprefix(state.OWN) if version.startswith(state.OWN) else ""
        name = st.text_input("Name", own, key=f"own_name_{version}", placeholder="our cluster")
        peaks = _fields({p: f"{p.upper()}, TFLOP/s" for p in PRECISIONS}, _peaks(start), version)
        sizes = _fields({**_SIZES, "price": "Price, $/h"}, _sizes(start), version)
        if st.form_submit_button("Keep and use", icon=":material/bookmark_add:"):
            with frame.worded_errors():
                _keep(name.strip(), peaks, sizes, version)
    if own and st.button(f"Forget {frame.plain(own)}", key="forget_hardware", icon=":material/delete:"):
        data.records().delete(machine.KIND, own)
        st.session_state["_next_hardware"] = state.CONTROLS["hardware"].default
        st.rerun()


def _fields(names: dict[str, str], values: dict[str, str], version: str) -> dict[str, str]:
    slots = st.columns(3)
    return {
        key: slots[i % 3].text_input(title, values.get(key, ""), key=f"own_{key}_{version}", placeholder="not known")
        for i, (key, title) in enumerate(names.items())
    }


def _peaks(start: Hardware | None) -> dict[str, str]:
    return {p: format_number(v / 1e12, 4) for p, v in start.peak_flops_per_s.items()} if start else {}


def _sizes(start: Hardware | None) -> dict[str, str]:
    if start is None:
        return {}
    known = {name: format(value, ".6g") for name in _SIZES if (value := getattr(start, name)) is not None}
    return {**known, **({"price": format(start.price.typical, ".6g")} if start.price else {})}


def _keep(name: str, peaks: dict[str, str], sizes: dict[str, str], version: str) -> None:
    """Keep what was given; another of that name is replaced only where it is the one being changed."""
    price = read_price(sizes["price"])
    made = Hardware.from_json({
        "name": name,
        "peak_flops_per_s": {p: rate for p, text in peaks.items() if (rate := read_peak(text)) is not None},
        **{key: _size(key, sizes[key]) for key in _SIZES if sizes[key].strip()},
        **({"price": {"low": price, "typical": price, "high": price, "source": "own"}} if price is not None else {}),
        "source": "given by hand",
    })  # fmt: skip
    if version != f"{state.OWN}{name}" and data.records().free_name(machine.KIND, name) != name:
        raise UserError(f"“{name}” is kept already.", fix="Choose it above to change it, or give another name.")
    data.records().save(machine.KIND, name, made.to_json())
    st.session_state["_next_hardware"] = f"{state.OWN}{name}"
    st.rerun()


def _size(key: str, text: str) -> Any:
    return read_amount_of(text, _SIZES[key], "Give a number above zero, or leave it empty where it is unknown.")
