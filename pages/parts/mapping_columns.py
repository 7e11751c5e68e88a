"""Which column is which: what was guessed, shown to be corrected."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.parts import data, state
from scaling_core.runs import COLUMNS, LOSS_UNITS, Overrides, RunTable

NONE = "(none)"
_FIELDS = ("run", "params", "params_non_embedding", "tokens", "unique_tokens", "flops", "loss", "step")


def column_form(runs: RunTable | None, given: Overrides) -> Overrides | None:
    """Draw the form; return the corrections where they were applied."""
    columns = file_columns(state.get("runs"))
    understood = {k: v for s in reversed(runs.sources) for k, v in s.mapping.items()} if runs else None
    taken = data.guessed_columns() if understood is None else understood
    taken |= {k: v for k, v in given.columns.items() if v}
    unit = given.loss_unit or (runs.sources[0].loss_unit if runs and runs.sources else "")
    unit = unit if unit in LOSS_UNITS else "nats"
    # The form's widgets are new whenever what they show changes, so that they never show an older file's columns.
    version = f"{state.get('runs')}|{state.get('map')}"
    with st.form(f"mapping_{version}", border=False):
        chosen = _choices(columns, taken, version)
        left, right, _ = st.columns(3)
        units = list(LOSS_UNITS)
        chosen_unit = left.selectbox(
            "Unit of the loss", units, index=units.index(unit),
            format_func=lambda u: LOSS_UNITS[u].title, key=f"unit_{version}",
        )  # fmt: skip
        ratio = right.number_input(
            "Bytes per token", min_value=0.0, value=given.bytes_per_token, placeholder="not needed",
            key=f"bytes_{version}",
            help="Needed for a loss in bits per byte: how many bytes of text one token stands for on average. "
            "1 for a model that reads bytes.",
        )  # fmt: skip
        if st.form_submit_button("Apply", type="primary", key="apply_mapping"):
            return _corrected(given, taken, chosen, unit, chosen_unit, ratio)
    return None


@st.cache_data(max_entries=16, show_spinner=False)
def file_columns(runs: str) -> list[str]:
    """Return the columns of the loaded files, as they are called there."""
    return list(dict.fromkeys(str(c) for one in data.gathered(runs) for c in one.raw.frame.columns))


def _choices(columns: list[str], taken: dict[str, str], version: str) -> dict[str, str]:
    chosen = {}
    slots = st.columns(4)
    for i, name in enumerate(_FIELDS):
        column = COLUMNS[name]
        options = [NONE, *columns]
        now = taken.get(name, NONE)
        label = f"{column.title} {column.symbol}".strip()
        chosen[name] = slots[i % 4].selectbox(
            label, options, index=options.index(now) if now in options else 0, key=f"map_{name}_{version}"
        )
    return chosen


def _corrected(
    given: Overrides, taken: dict[str, str], chosen: dict[str, str], unit: str, chosen_unit: str, ratio: float | None
) -> Overrides:
    changed = {k: None if v == NONE else v for k, v in chosen.items() if v != taken.get(k, NONE)}
    loss_unit = given.loss_unit
    if chosen_unit != unit:  # said together with its column, so that it is not taken for another file's loss
        loss_unit = chosen_unit
        changed |= {"loss": chosen["loss"]} if chosen["loss"] != NONE else {}
    return replace(given, columns={**given.columns, **changed}, loss_unit=loss_unit, bytes_per_token=ratio or None)
