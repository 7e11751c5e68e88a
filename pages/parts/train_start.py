"""New weights, or those of a finished run: the choice, and what it means for the ladder."""

from __future__ import annotations

import streamlit as st

from pages.parts import data, frame, state
from scaling_core.jobs.starts import called, finished_runs
from scaling_core.training.asked import TASKS
from scaling_core.training.base_run import BaseRun
from scaling_core.units import format_count, format_number


def draw() -> BaseRun | None:
    """The choice, where any run has finished here; returns the run that is gone on from."""
    runs = {called(run.folder): run for run in finished_runs(data.queue())}
    asked = state.get("start_from")
    if asked and asked not in runs:
        st.warning(f"{frame.plain(asked)} is no finished run of this workspace that still has its weights: the ladder "
                   "begins with new ones.", icon=":material/link_off:")  # fmt: skip
        state.put(start_from="")
    if not runs:
        return None
    st.selectbox(
        "New weights, or continue from a finished run", ["", *runs], key="start_from",
        format_func=lambda name: _title(runs[name]) if name else "New weights",
        help="Fine-tuning: every run begins with the weights of that run, at its size, and learns what is chosen "
             "below. Several budgets show how its loss falls with fine-tuning tokens. Such runs are left out of laws.",
    )  # fmt: skip
    run = runs.get(state.get("start_from"))
    if run is not None:
        st.caption(f":material/arrow_split: {frame.plain(_about(run))}")
    return run


def tasks(run: BaseRun | None) -> list[str]:
    """What can be learned: of a run that is gone on from, by the same family of networks."""
    return [name for name, task in TASKS.items() if run is None or task.family == run.spec.model.family]


def _title(run: BaseRun) -> str:
    return f"{run.name} · {run.ladder} · {format_count(run.params)} parameters · loss {format_number(run.loss, 3)}"


def _about(run: BaseRun) -> str:
    learned = TASKS.get(run.spec.data.source)
    unit = "tokens" if learned is None or learned.is_text else "examples"
    what = learned.title if learned else run.spec.data.source
    return (f"{format_count(run.params)} parameters ({run.size}) that have seen {format_count(run.tokens)} {unit} of: "
            f"{what}. Budgets count what they see from here on.")  # fmt: skip


def continue_from(run_folder) -> None:
    """Callback: start the next ladder from this run."""
    state.put(start_from=called(run_folder))
