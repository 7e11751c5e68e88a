"""What a fit is looked at by: each worked out once for each choice."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from pages.parts import data, machine, state
from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, Selection, pose
from scaling_core.fitting.approaches import approaches as three_approaches
from scaling_core.fitting.backtest import forward_chain, leave_one_size_out
from scaling_core.fitting.compare import Comparison, compare
from scaling_core.fitting.diagnostics import diagnose
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.influence import drop_path as path_without_highest
from scaling_core.fitting.influence import influence as influence_of_each
from scaling_core.fitting.isoflop import IsoflopProfiles, isoflop_profiles
from scaling_core.fitting.judged import JudgedFit
from scaling_core.fitting.outcome import GOPHER_FLOPS, main_quantity
from scaling_core.fitting.profile import Profile, profile
from scaling_core.fitting.sensitivity import sensitivity as under_every_objective
from scaling_core.fitting.verdict import Verdict
from scaling_core.laws import LAWS, get_law
from scaling_core.planning import PUBLISHED, Basis, Budget, Plan, Scenario, basis_of_published
from scaling_core.planning.answers import without_machine
from scaling_core.planning.trust import Check, trust

#: Until a budget is typed, answers are compared at so many times the compute of the largest run.
_NEXT = 10.0


def target_flops(fit: FitResult) -> float:
    """Return the budget that answers are compared at: the one typed on the Plan page, else ten times the largest."""
    if typed := state.get("budget").strip():
        try:
            return float(Budget.parse(typed).flops(machine.terms()))
        except UserError:
            pass
    return float(f"{_NEXT * fit.ranges['flops'][1]:.3g}") if "flops" in fit.ranges else GOPHER_FLOPS


def findings() -> tuple[Finding, ...]:
    """Return what speaks for and against the fit on screen, and for the budget where one is typed."""
    asked = target_flops(data.current_fit()) if state.get("budget").strip() else None
    return _findings(data.choices(), asked)


def verdict() -> Verdict:
    """Return how far the fit on screen can be believed: its solve, and what was found of it."""
    return judged().verdict


def judged() -> JudgedFit:
    """Return the fit on screen with what was found of it, as it is kept and written to files."""
    return JudgedFit(data.current_fit(), findings())


@st.cache_resource(max_entries=64, show_spinner="Looking at the fit from every side")
def _findings(c: data.Choices, asked: float | None) -> tuple[Finding, ...]:
    return diagnose(data.table(), data.fit_of(c), asked)


def profile_of(name: str) -> Profile:
    """Return how much worse the law fits where a parameter is held at other values."""
    return _profile(data.choices(), name)


@st.cache_resource(max_entries=64, show_spinner="Holding the parameter at other values")
def _profile(c: data.Choices, name: str) -> Profile:
    posed = pose(get_law(c.law), data.table(), c.objective, c.selection, **_how(c))
    return profile(posed, posed.problem.working.from_natural(data.fit_of(c).theta), name)


def chain() -> pd.DataFrame:
    """Return what would have been foretold at each cut in compute."""
    return _chain(data.choices(), target_flops(data.current_fit()))


@st.cache_resource(max_entries=64, show_spinner="Fitting below each cut")
def _chain(c: data.Choices, target: float) -> pd.DataFrame:
    return forward_chain(get_law(c.law), data.table(), c.objective, c.selection, target_flops=target, **_how(c))


def without_each_size() -> pd.DataFrame:
    """Return how well the runs of each size are foretold by those of the others."""
    return _without_each_size(data.choices())


@st.cache_resource(max_entries=32, show_spinner="Fitting without each size in turn")
def _without_each_size(c: data.Choices) -> pd.DataFrame:
    return leave_one_size_out(get_law(c.law), data.table(), c.objective, c.selection, **_how(c))


def comparisons(above: float) -> list[Comparison]:
    """Return every law that the runs can carry, ranked on the runs of so many FLOPs or more."""
    c = data.choices()
    own = () if c.law in LAWS else (c.law,)
    return _comparisons(
        c._replace(law="", constraints=(), weights="", method=""), own, above, target_flops(data.current_fit())
    )


@st.cache_resource(max_entries=64, show_spinner="Fitting every law to the runs below the cut")
def _comparisons(c: data.Choices, own: tuple[str, ...], above: float, target: float) -> list[Comparison]:
    laws = [*LAWS.values(), *map(get_law, own)]
    return compare(data.table(), c.objective, c.selection, laws, above=above, target_flops=target)


def drop_path() -> pd.DataFrame:
    """Return what the plan becomes as the highest losses are left out."""
    return _drop_path(data.choices(), target_flops(data.current_fit()))


@st.cache_resource(max_entries=64, show_spinner="Fitting without the highest losses")
def _drop_path(c: data.Choices, target: float) -> pd.DataFrame:
    return path_without_highest(get_law(c.law), data.table(), c.objective, c.selection, target_flops=target, **_how(c))


def influence() -> tuple[pd.DataFrame, str]:
    """Return how far the plan moves without each run, and what a person reads for what moves."""
    fit = data.current_fit()
    cost = fit.metric.cost_title
    title = "Tokens per parameter" if main_quantity(fit.law) == "tokens_per_param" else f"{cost[:1].upper()}{cost[1:]}"
    return _influence(data.choices(), target_flops(fit)), title


@st.cache_resource(max_entries=64, show_spinner="Fitting without each run in turn")
def _influence(c: data.Choices, target: float) -> pd.DataFrame:
    return influence_of_each(get_law(c.law), data.table(), c.objective, c.selection, target_flops=target, **_how(c))


def sensitivity() -> pd.DataFrame:
    """Return the law under every objective."""
    return _sensitivity(data.choices(), target_flops(data.current_fit()))


@st.cache_resource(max_entries=64, show_spinner="Fitting under every objective")
def _sensitivity(c: data.Choices, target: float) -> pd.DataFrame:
    return under_every_objective(get_law(c.law), data.table(), c.selection, target, **_how(c))


def isoflop() -> IsoflopProfiles:
    """Return the isoFLOP profiles of the chosen runs."""
    return _isoflop(state.get("runs"), state.get("map"), state.get("metric"), state.selection())


@st.cache_resource(max_entries=32, show_spinner="Finding the best size at each budget")
def _isoflop(runs: str, mapping: str, metric: str, selection: Selection) -> IsoflopProfiles:
    return isoflop_profiles(data.table(), selection)


def approaches() -> pd.DataFrame:
    """Return how fast the best size grows with compute, by three approaches."""
    return _approaches(data.choices())


@st.cache_resource(max_entries=32, show_spinner="Comparing three approaches")
def _approaches(c: data.Choices) -> pd.DataFrame:
    return three_approaches(data.table(), data.fit_of(c), c.selection)


def _how(c: data.Choices) -> dict:
    return {"weights": c.weights, "constraints": c.constraints}


def trust_of(basis: Basis, scenario: Scenario, answer: Plan) -> tuple[Check, ...]:
    """Return what speaks for and against a plan."""
    own = data.choices() if state.get("basis") == state.OWN_FIT else None
    asked = json.dumps(without_machine(scenario).to_json())
    return _trust(state.get("basis"), own, data.law_content(), asked, _basis=basis, _answer=answer)


@st.cache_resource(max_entries=64, show_spinner=False)
def _trust(
    chosen: str, fit: data.Choices | None, content: int, asked: str, _basis: Basis, _answer: Plan
) -> tuple[Check, ...]:
    others = [b for b in map(basis_of_published, PUBLISHED.values()) if b.title != _basis.title]
    return trust(_basis, Scenario.from_json(json.loads(asked)), _answer, others)
