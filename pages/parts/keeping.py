"""Keeping something under a name: a name that is taken is never written over unasked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.parts import data, frame
from scaling_core.errors import UserError


def form(kind: str, key: str, label: str, placeholder: str, value: dict[str, Any], reserved: str, chosen: str) -> None:
    """Ask for a name and keep ``value``; ``reserved`` is no name, ``chosen`` the list where it is then picked."""
    with st.form(f"save_{key}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(label, key=f"{key}_name", placeholder=placeholder).strip()
        if st.form_submit_button("Keep", icon=":material/bookmark_add:"):
            st.session_state.pop(_asked(key), None)
            with frame.worded_errors():
                _take(kind, key, name, value, reserved, chosen)
    if waiting := st.session_state.get(_asked(key)):
        _ask(kind, key, *waiting, chosen)


def _take(kind: str, key: str, name: str, value: dict[str, Any], reserved: str, chosen: str) -> None:
    if name == reserved:
        raise UserError(f"“{reserved}” is what is on screen now.", fix="Choose another name.")
    if data.records().free_name(kind, name) != name:
        st.session_state[_asked(key)] = (name, value)
        return
    _keep(kind, name, value, chosen)


def _ask(kind: str, key: str, name: str, value: dict[str, Any], chosen: str) -> None:
    """The question, with its three answers."""
    st.warning(f"“{frame.plain(name)}” is kept already.", icon=":material/help:")
    other = data.records().free_name(kind, name)
    with st.container(horizontal=True):
        replace = st.button("Replace it", key=f"replace_{key}", icon=":material/sync:")
        both = st.button(f"Keep both, this one as “{frame.plain(other)}”", key=f"both_{key}")
        if st.button("Leave it", key=f"neither_{key}") or replace or both:
            st.session_state.pop(_asked(key))
            if replace or both:
                _keep(kind, name if replace else other, value, chosen)
            st.rerun()


def _keep(kind: str, name: str, value: dict[str, Any], chosen: str) -> None:
    data.records().save(kind, name, value)
    if chosen:
        now = st.session_state.get(chosen, [])
        st.session_state[chosen] = [*(c for c in now if c != name), name]
    st.toast(f"Kept as {frame.plain(name)}.", icon=":material/bookmark_added:")


def _asked(key: str) -> str:
    return f"_asked_{key}"
