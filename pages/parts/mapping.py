"""What the runs say and what they lack for a law, and every way to give it: columns, names, typing, counting."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import streamlit as st

from pages.parts import data, frame, state
from pages.parts.mapping_columns import column_form
from pages.parts.mapping_given import names_form, product_form, shape_form, typed_form
from scaling_core.errors import UserError
from scaling_core.runs import COLUMNS, PREDICTORS, Overrides, RunTable, Source, home, samples
from scaling_core.runs.given import Given
from scaling_core.runs.remembered import fingerprint, recall, remember

_RECALLED, _WAY = "_recalled", "mapping_way"
_HOW = {
    "name": "read from the names of runs",
    "typed": "typed",
    "shape": "counted from layers and width",
}
WAYS: dict[str, Callable[[RunTable | None, Overrides], Overrides | None]] = {
    "Columns": column_form,
    "Names of runs": names_form,
    "Typed": typed_form,
    "Layers and width": shape_form,
    "Batch × sequence × step": product_form,
}


@st.fragment
def wizard(runs: RunTable | None) -> None:
    """Draw what was found, what is missing, and one way to give it; what is applied becomes the ``map`` of the link."""
    st.markdown(findings(runs))
    way = st.segmented_control(
        "How to give it", list(WAYS), default="Columns", key=_WAY, required=True, label_visibility="collapsed"
    )
    now = Overrides.parse(state.get("map"))
    with frame.worded_errors():
        said = WAYS[way or "Columns"](runs, now)
        if said is not None and said != now:
            _take(said)
    _footer(now)


def findings(runs: RunTable | None) -> str:
    """Say of N, D, C and the loss where each comes from; missing ones last, with what they are needed for."""
    if runs is None:
        guessed = data.guessed_columns()
        known = [f"{COLUMNS[c].title.lower()} from “{frame.plain(n)}”" for c, n in guessed.items() if c in COLUMNS]
        found_so_far = f"Found: {', '.join(known)}. " if known else ""
        return f"{found_so_far}Missing: **N**, **D** and **C**. Without any of them there is nothing to compare."
    found = [f"**{_symbol(c)}** {_origin(runs, c)}" for c in (*PREDICTORS, "loss") if runs.frame[c].notna().any()]
    missing = [
        f"**{_symbol(c)}** ({COLUMNS[c].title.lower()})" for c in (*PREDICTORS, "loss") if runs.frame[c].isna().all()
    ]
    text = "Found: " + "; ".join(found) + "." if found else "Nothing was found."
    if missing:
        text += f" Missing: {', '.join(missing)}. A law L(N, D) needs N, D and the loss; C follows from N and D."
    return text


def remembered_offer() -> None:
    """Offer what was said last time of files with these columns; taken, it can be undone."""
    if state.get("map"):
        if st.session_state.get(_RECALLED) == (state.get("runs"), state.get("map")):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(":material/history: Columns are understood as remembered from last time.")
                st.button("Undo", on_click=_forget, key="undo_remembered")
        return
    with frame.worded_errors():
        if _is_own() and (found := recall(home(), _source(state.get("runs")))) and not found.is_empty:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(":material/history: You named the columns of files like these before.")
                st.button("Use that again", on_click=_use, args=(found.format(),), key="use_remembered")


def _use(text: str) -> None:
    state.put(map=text, y=state.CONTROLS["y"].default)
    st.session_state[_RECALLED] = (state.get("runs"), text)


def _forget() -> None:
    """Callback: back to what was guessed, for the open files."""
    state.put(map="", y=state.CONTROLS["y"].default)


def _take(said: Overrides) -> None:
    """Use the corrections, and remember them for files like these."""
    text = said.format()
    if _is_own():
        with suppress(UserError):  # a workspace that cannot be written to forgets, and hinders nothing
            remember(home(), _source(state.get("runs")), said)
    st.session_state["_next_map"] = text
    st.rerun()


def _footer(now: Overrides) -> None:
    if not state.get("map"):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Back to what was guessed", on_click=_forget, key="clear_mapping")
        if now.given:
            st.button("Take back what was given", on_click=_take_back, args=(now,), key="clear_given")
        st.download_button(
            "Mapping file", json.dumps(now.to_json(), indent=1, ensure_ascii=False), "runs.mapping.json",
            "application/json", on_click="ignore", icon=":material/download:", key="export_mapping",
            help="Dropped above, with its runs or after them, it is used again. The command line takes it, too: "
            "--mapping runs.mapping.json.",
        )  # fmt: skip


def _take_back(now: Overrides) -> None:
    """Callback: drop what was read from names, typed, counted and multiplied; columns stay as they were named."""
    state.put(map=replace(now, given=Given()).format())


def _is_own() -> bool:
    known = {s.name for s in samples()}
    return bool(data.run_ids()) and not any(i in known for i in data.run_ids())


@st.cache_data(max_entries=32, show_spinner=False)
def _source(runs: str) -> str:
    try:
        return fingerprint([one.raw for one in data.gathered(runs)])
    except UserError:
        return ""


def _symbol(name: str) -> str:
    return "loss" if name == "loss" else COLUMNS[name].symbol


def _origin(runs: RunTable, name: str) -> str:
    """Say where a quantity comes from, file by file."""
    texts = dict.fromkeys(_origin_in(source, name) for source in runs.sources)
    return frame.plain(" and ".join(filter(None, texts))) or "known"


def _origin_in(source: Source, name: str) -> str:
    rule, own = source.derived.get(name, ""), source.mapping.get(name)
    if rule == "params_non_embedding":  # N without embeddings stands in, and has an origin of its own
        return f"without embeddings, {_origin_in(source, rule)}"
    if own and not rule:
        return f"from “{own}”"
    return _HOW.get(rule, f"computed as {rule}" if rule else "")
