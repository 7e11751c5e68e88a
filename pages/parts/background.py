"""Something slow that runs in a process of its own, so that no page waits for it and the server stays free."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from scaling_core.jobs.launch import start_module
from scaling_core.runs import home

_LOOK_S = 1.0


@dataclass
class _Started:
    """A process that was started from a page of this server."""

    process: subprocess.Popen[bytes]


@st.cache_resource
def _started() -> dict[str, _Started]:
    return {}


def start(name: str, module: str, arguments: Sequence[str]) -> None:
    """Callback: start a module, unless one of this name still runs. What it prints goes to ``<name>.log``."""
    if is_running(name):
        return
    home().mkdir(parents=True, exist_ok=True)
    with (home() / f"{name}.log").open("wb") as log:
        _started()[_key(name)] = _Started(start_module(module, list(arguments), stdout=log, stderr=log))


def is_running(name: str) -> bool:
    """Whether it runs now."""
    there = _started().get(_key(name))
    return there is not None and there.process.poll() is None


def trouble(name: str) -> str:
    """The last thing that it said, where it failed; empty otherwise."""
    there = _started().get(_key(name))
    if there is None or not there.process.poll():
        return ""
    try:
        lines = (home() / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "It gave no reason."


def wait(name: str, doing: str) -> None:
    """Say that it runs, and draw the page anew when it has ended."""

    @st.fragment(run_every=_LOOK_S)
    def look() -> None:
        if is_running(name):
            st.caption(f":material/hourglass_top: {doing}")
        else:
            st.rerun()

    if is_running(name):
        look()


def _key(name: str) -> str:
    return f"{home()}/{name}"
