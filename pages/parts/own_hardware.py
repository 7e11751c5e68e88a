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

#: That the window is asked for, that it has done its work, and why it could not.
_OPEN, _DONE, _REFUSED = "_own_hardware", "_own_hardware_done", "_own_hardware_refused"
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
    st.session_state.pop(_DONE, None)
    st.session_state.pop(_REFUSED, None)


def draw() -> None:
    """The form in a window of its own, where it was asked for."""
    if st.session_state.pop(_OPEN, False):
        _window()


@st.dialog("An accelerator of your own", width="large", icon=":material/memory:")
def _window() -> None:
    """The form, filled with the chosen accelerator, and the way to forget one."""
    if st.session_state.pop(_DONE, False):
        st.rerun()
    if refused := st.session_state.pop(_REFUSED, None):
        frame.show_error(refused)
    try:
        start = machine.base()
    except UserError as error:
        frame.show_error(error)
        start = None
    version = state.get("hardware")
    st.caption("Starts from the accelerator that is chosen. What is left empty is not known.")
    with st.form(f"own_hardware_{version}", border=False):
        own = version.removeprefix(state.OWN) if version.startswith(state.OWN) else ""
        st.text_input("Name", own, key=f"own_name_{version}", placeholder="our cluster")
        _fields({p: f"{p.upper()}, TFLOP/s" for p in PRECISIONS}, _peaks(start), version)
        _fields({**_SIZES, "price": "Price, $/h"}, _sizes(start), version)
        st.form_submit_button("Keep and use", icon=":material/bookmark_add:", on_click=_submit, args=(version,))
    if own:
        st.button(
            f"Forget {frame.plain(own)}", key="forget_hardware", icon=":material/delete:", on_click=_forget, args=(own,)
        )


def _fields(names: dict[str, str], values: dict[str, str], version: str) -> None:
    slots = st.columns(3)
    for i, (key, title) in enumerate(names.items()):
        slots[i % 3].text_input(title, values.get(key, ""), key=f"own_{key}_{version}", placeholder="not known")


def _submit(version: str) -> None:
    """Callback of the form: keep what it says, or remember why not."""
    said = {key: str(st.session_state[f"own_{key}_{version}"]) for key in ("name", "price", *PRECISIONS, *_SIZES)}
    try:
        _keep(said["name"].strip(), {p: said[p] for p in PRECISIONS}, said, version)
    except UserError as error:
        st.session_state[_REFUSED] = error


def _forget(name: str) -> None:
    """Callback: forget one, and plan with the usual one again."""
    data.records().delete(machine.KIND, name)
    _use(state.CONTROLS["hardware"].default)


def _use(name: str) -> None:
    """Choose an accelerator in the run of the page that follows."""
    st.session_state["_next_hardware"] = name
    st.session_state[_DONE] = True


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
    _use(f"{state.OWN}{name}")


def _size(key: str, text: str) -> Any:
    return read_amount_of(text, _SIZES[key], "Give a number above zero, or leave it empty where it is unknown.")
