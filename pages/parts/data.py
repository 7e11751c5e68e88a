"""The runs, the law and the fit of this session: read, fitted and cached by what they depend on."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import pandas as pd
import streamlit as st

from pages.parts import opening, state
from scaling_core.charts.curve_lines import run_settings
from scaling_core.errors import UserError
from scaling_core.fitting import Constraint, FitResult, Objective, Recommendation, Selection, fit, recommend
from scaling_core.fitting.judged import JudgedFit
from scaling_core.jobs import Queue
from scaling_core.laws import get_law
from scaling_core.planning import Basis, Scenario, basis_of_fit, basis_of_published, budgets, frontier, get_published
from scaling_core.planning.answers import without_machine
from scaling_core.planning.downstream import reads_loss
from scaling_core.planning.frontier import priced
from scaling_core.records import Records
from scaling_core.runs import (
    Gathered,
    Overrides,
    RunTable,
    Upload,
    UploadStore,
    flags,
    gather,
    guess_mapping,
    home,
    sample,
    samples,
)  # fmt: skip
from scaling_core.runs.complete import names_of, what_is_given
from scaling_core.runs.load import concerning, understand
from scaling_core.runs.progress import part

_STOPPED, _SHOWN, _FAILED = "_stopped_reading", "_shown_choices", "_failed_reading"


def store() -> UploadStore:
    """Return where uploaded files are kept."""
    return UploadStore(home())


def records() -> Records:
    """Return the named records of the workspace."""
    return Records(home())


def queue() -> Queue:
    """Return the training jobs of the workspace."""
    return Queue(home())


def run_ids() -> tuple[str, ...]:
    """What is loaded: sample names, or hashes of uploaded files."""
    return tuple(part for part in state.get("runs").split(",") if part)


def runs_title(table: RunTable | None = None) -> str:
    """Name what is loaded, for the strip: a sample's title, or file names."""
    titles = {s.name: s.title for s in samples()}
    names = [titles[i] for i in run_ids() if i in titles]
    if table is not None and len(names) < len(run_ids()):
        own = [s.file for s in table.sources]
        names = own if not names else [*names, *own[len(names) :]]
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "") if names else "Your runs"


def open_files() -> str:
    """Name the uploaded files that are open, as far as they are still kept."""
    names = []
    for item in run_ids():
        try:
            names.append(store().name_of(item))
        except UserError:
            names.append(f"a file no longer kept ({item[:8]}…)")
    return ", ".join(names) or "nothing"


def uploads() -> list[Upload]:
    """Return the files that are loaded.

    Raises
    ------
    UserError
        If one is no longer kept here, or a sample is unknown.
    """
    return _files(run_ids(), store())


def _files(ids: tuple[str, ...], kept: UploadStore) -> list[Upload]:
    if not ids:
        raise UserError("No runs are loaded.", fix="Upload a file or pick a sample.")
    names = {s.name for s in samples()}
    files: list[Upload] = []
    for item in ids:
        files += sample(item).uploads() if item in names else [kept.get(item)]
    return files


def _size() -> int:
    """Return how many bytes the loaded files have, unpacked; large ones are only measured."""
    own = [item for item in run_ids() if item not in {s.name for s in samples()}]
    size = sum(store().size_of(item) for item in own)
    return size if size >= opening.AT_ONCE else opening.weight([store().get(item) for item in own])


def table() -> RunTable:
    """Return the loaded runs, read once for each content and mapping, judged by the chosen metric."""
    loaded = loss_table()
    return loaded if state.get("metric") == "loss" else loaded.measured_by(state.get("metric"))


def loss_table() -> RunTable:
    """Return the loaded runs with their loss, whatever metric is chosen.

    Raises
    ------
    UserError
        If they cannot be read or make no sense, or their reading was stopped.
    StillReading
        If they are large and being read.
    """
    runs, mapping = state.get("runs"), state.get("map")
    there = opening.opened(runs)
    if there is not None and (known := there.tables.get(mapping)) is not None:
        return known
    _raise_again(runs, mapping)
    overrides = Overrides.parse(mapping) if mapping else _sample_overrides(runs)
    read = _reader(runs)

    def work() -> RunTable:
        files = read()
        with part(0.8, 1.0, "Working out the runs"):
            table = understand(files.gathered, files.notes, overrides)
        files.add(mapping, table)
        return table

    size = there.weight if there else _size()
    try:
        return opening.do(("table", runs, mapping), work, size)
    except UserError as error:
        if size >= opening.AT_ONCE:  # too long to be tried again with every run of the page
            st.session_state[_FAILED] = (runs, mapping, error)
        raise


def _raise_again(runs: str, mapping: str) -> None:
    """Raise what came of reading large files, if that is known: they were stopped, or cannot be used."""
    if is_stopped():
        raise UserError("Its reading was stopped.", where=open_files(), fix="Read it again, or open other runs.")
    failed = st.session_state.get(_FAILED)
    if failed is not None and failed[:2] == (runs, mapping):
        raise failed[2]


def gathered(runs: str) -> tuple[Gathered, ...]:
    """Return the open files as they were read, before anyone asks what their columns mean; ``runs`` is the key.

    Raises
    ------
    UserError
        If one cannot be read, or their reading was stopped.
    StillReading
        If they are large and being read.
    """
    there = opening.opened(runs)
    if there is None:
        _raise_again(runs, state.get("map"))
    there = there or opening.do(("files", runs), _reader(runs), _size())
    return there.gathered


def _reader(runs: str) -> Callable[[], opening.Opened]:
    """Return what reads the loaded files unless they are open already, in whichever thread."""
    ids, kept = run_ids(), store()

    def read() -> opening.Opened:
        if there := opening.opened(runs):
            return there
        files = _files(ids, kept)
        with part(0.0, 0.8):
            found = gather(files)
        return opening.keep(runs, opening.Opened(*found, opening.weight(files)))

    return read


def stop_reading(key: opening.Key) -> None:
    """Callback: stop reading, and go back to what was shown before; where nothing was, say that it was stopped."""
    opening.stop(key)
    before = st.session_state.get(_SHOWN)
    if before is None or (before["runs"], before["map"]) == (state.get("runs"), state.get("map")):
        st.session_state[_STOPPED] = (state.get("runs"), state.get("map"))
    else:
        state.put(**before)


def is_stopped() -> bool:
    """Whether the loaded files are not there because their reading was stopped."""
    return st.session_state.get(_STOPPED) == (state.get("runs"), state.get("map"))


def read_again() -> None:
    """Callback: read what was stopped."""
    st.session_state.pop(_STOPPED, None)


def is_shown() -> None:
    """Take note of the choices that a page shows, to come back to."""
    st.session_state[_SHOWN] = {key: copy(state.get(key)) for key in state.CONTROLS}
    st.session_state.pop(_STOPPED, None)


def guessed_columns() -> dict[str, str]:
    """Return which column each canonical one seems to be, in the first open file that says so."""
    tables = reversed(gathered(state.get("runs")))
    return {c: name for table in tables for c, name in guess_mapping(table.raw).mapping.items()}


def names_of_runs(overrides: Overrides) -> list[str]:
    """Name the runs of the open files, each once, as the files do."""
    tables = gathered(state.get("runs"))
    named = [names_of(t.raw, concerning(overrides, t.raw, tables), t.upload.name) for t in tables]
    return list(dict.fromkeys(name for names in named for name in names.unique()))


def preview(overrides: Overrides) -> pd.DataFrame:
    """Return what corrections give of each run.

    Raises
    ------
    UserError
        If they cannot be followed.
    """
    tables = gathered(state.get("runs"))
    given = [what_is_given(t.raw, concerning(overrides, t.raw, tables), t.upload.name) for t in tables]
    return pd.concat(given, ignore_index=True)


def preview_sizes(overrides: Overrides) -> pd.DataFrame:
    """Return N, D and C of every run of the open files, NaN where unknown: rows that cannot be used yet, too."""
    names = preview(overrides)["run"].drop_duplicates()
    try:
        known = loss_table().frame.drop_duplicates("run", keep="last").set_index("run")
    except UserError:
        known = pd.DataFrame(columns=["params", "tokens", "flops"])
    return known[["params", "tokens", "flops"]].reindex(names.to_numpy()).rename_axis("run").reset_index()


def flagged_rows() -> pd.DataFrame:
    """Return the rows that look wrong, each with its reason."""
    return _flags(state.get("runs"), state.get("map"), state.get("metric"))


@st.cache_resource(max_entries=16, show_spinner=False)
def _flags(runs: str, mapping: str, metric: str) -> pd.DataFrame:
    return flags(table().frame)


@st.cache_resource(max_entries=16, show_spinner=False)
def curve_runs(runs: str, mapping: str) -> pd.DataFrame:
    """Return a row for each run that has a curve, with what does not change along it, for colours."""
    return run_settings(loss_table())


class Choices(NamedTuple):
    """Everything that a fit depends on."""

    runs: str
    mapping: str
    metric: str
    law: str
    objective: Objective
    selection: Selection
    weights: str
    constraints: tuple[Constraint, ...]
    method: str


def _sample_overrides(runs: str) -> Overrides:
    known = {s.name: s for s in samples()}
    return known[runs].overrides if runs in known else Overrides()


def recommendation() -> Recommendation | None:
    """Return which law the runs can support."""
    return _recommendation(state.get("runs"), state.get("map"), state.get("metric"))


@st.cache_resource(max_entries=64, show_spinner=False)
def _recommendation(runs: str, mapping: str, metric: str) -> Recommendation | None:
    return recommend(table())


def law_name() -> str:
    """Return the law to fit: the chosen one, or what the runs support.

    Raises
    ------
    UserError
        If none was chosen and the runs support none.
    """
    if state.get("law") != state.AUTO:
        return str(state.get("law"))
    if found := recommendation():
        return found.law
    if not table().has_loss:
        raise UserError(
            "These runs have no loss, so no law of loss can be fitted to them.",
            fix="On the Runs page say which column holds the loss, or open runs that have one.",
        )
    raise UserError(
        "These runs are too few, or too alike, for any law.",
        fix="A law needs at least three runs that differ in N, D or C.",
    )


def choices() -> Choices:
    """Return what the fit depends on, as chosen."""
    return Choices(
        state.get("runs"), state.get("map"), state.get("metric"), law_name(), state.objective(), state.selection(),
        state.get("weights"), state.constraints(), state.get("method"),
    )  # fmt: skip


def current_fit() -> FitResult:
    """Return the fit of the chosen law to the chosen points, computed once for each choice."""
    return fit_of(choices())


@st.cache_resource(max_entries=64, show_spinner="Fitting, with 1,000 bootstrap resamples")
def fit_of(c: Choices) -> FitResult:
    """Return the fit of a set of choices."""
    return fit(
        get_law(c.law), table(), c.objective, c.selection,
        weights=c.weights, constraints=c.constraints, method=c.method,
    )  # fmt: skip


def basis() -> Basis:
    """Return the law to plan with: the session's own fit, a kept one, or published constants."""
    chosen = state.get("basis")
    if chosen == state.OWN_FIT:
        return basis_of_fit(current_fit())
    if chosen.startswith(state.KEPT):
        kept = kept_fit(chosen.removeprefix(state.KEPT))
        return replace(basis_of_fit(kept.fit), doubts=kept.verdict.reasons)
    return basis_of_published(get_published(chosen))


def kept_fit(name: str) -> JudgedFit:
    """Return a fit that was kept, with what was found of it then.

    Raises
    ------
    UserError
        If it is no longer kept here, or cannot be read.
    """
    return JudgedFit.from_json(records().get("fit", name).data)


def mappings() -> dict[str, FitResult]:
    """Return kept fits from the loss to another metric, by name; one that can no longer be read is left out."""
    found = {}
    for record in records().all("fit"):
        try:
            fit = FitResult.from_json(record.data)
        except UserError:
            continue
        if reads_loss(fit):
            found[record.name] = fit
    return found


def plan_rows(scenario: Scenario, low: float, high: float, start: float) -> pd.DataFrame:
    """Return a row of the frontier for each step of the budget slider, computed once for each choice."""
    chosen = state.get("basis")
    own = choices() if chosen == state.OWN_FIT else None
    rows = _plan_rows(chosen, own, law_content(), json.dumps(without_machine(scenario).to_json()), low, high, start)
    return priced(rows, scenario)


def law_content() -> int:
    """Return what tells the numbers of the law to plan with from others: a kept fit may be another under its name."""
    now = basis()
    return hash(now.theta.tobytes() + now.draws.tobytes())


@st.cache_resource(max_entries=32, show_spinner=False)
def _plan_rows(
    chosen: str, fit: Choices | None, content: int, asked: str, low: float, high: float, start: float
) -> pd.DataFrame:
    scenario = Scenario.from_json(json.loads(asked))
    return frontier(basis(), budgets(low, high, through=start), scenario.level, scenario)
