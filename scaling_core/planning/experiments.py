"""Which runs to train next, with little compute, to be surest of what a large budget will give."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scaling_core.fitting import DEFAULT_LEVEL, FitResult
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array
from scaling_core.planning.candidates import Asked, candidates
from scaling_core.planning.design import Question, choose, worth_keeping
from scaling_core.planning.frontier import times_beyond
from scaling_core.planning.information import Evidence, evidence_of, fitted_rows, question_of
from scaling_core.planning.narrowing import after_runs, before_runs, expected
from scaling_core.runs.export import safe_csv
from scaling_core.units import format_number, format_ratio

#: Draws of the law that a design must serve at once.
_DRAWS = 40
#: A run that brings less than this share of what all bring (of the logarithm of the width) is not worth its place.
_LEAST_HELP = 0.005
#: Narrowing by a smaller share than this is nothing to train runs for.
_LEAST_NARROWED = 0.05
#: Tokens per parameter so many times those of the best split are long, or short, for a size.
_LONG = 2.0
#: Numbers with a larger logarithm are as good as infinite: an interval of runs that leave N* open.
_LARGEST_LOG = 200.0
#: A budget of which less than this is spent has some to spare.
_SPARED = 0.9


@dataclass(frozen=True)
class Experiments:
    """Runs to train next, and what they should make of an interval.

    Attributes
    ----------
    runs : pandas.DataFrame
        Cheapest first: ``run`` (a name), ``params``, ``tokens``, ``flops`` (6ND), ``share`` of the experiment budget,
        ``expected_loss`` by the fit, and ``why``.
    quantity : str
        "loss", the lowest loss of the target budget, or "params", the size that reaches it.
    expected : float
        The quantity as the fit has it now; where it has none, the middle of the laws that the runs leave possible.
    before : tuple of float
        Its interval now: of the fit's own draws; where it has too few, Student's, or that of the laws that the runs
        leave possible.
    after : tuple of float
        The interval to expect with these runs, around ``expected``: where it will lie is not known, how wide is.
    narrowing : float
        Width of the interval after over that before, in logarithms.
    spent : float
        FLOPs of all runs.
    level : float
        Level of the intervals.
    target_flops, budget_flops : float
    notes : tuple of str
    """

    runs: pd.DataFrame
    quantity: str
    expected: float
    before: tuple[float, float]
    after: tuple[float, float]
    narrowing: float
    spent: float
    level: float
    target_flops: float
    budget_flops: float
    notes: tuple[str, ...]

    @property
    def narrowed(self) -> float:
        """Share of the width of the interval, in logarithms, that all the runs together should take away."""
        return 1 - self.narrowing

    @property
    def is_worth_it(self) -> bool:
        """Whether the runs together narrow the interval by as much as a person would notice."""
        return self.narrowed >= _LEAST_NARROWED

    def to_csv(self) -> str:
        """The runs as CSV, at full precision."""
        return safe_csv(self.runs)


def next_experiments(
    fit: FitResult,
    target_flops: float,
    budget_flops: float,
    *,
    quantity: str = "loss",
    max_params: float | None = None,
    max_tokens: float | None = None,
    max_run_flops: float | None = None,
    max_runs: int = 12,
    level: float = DEFAULT_LEVEL,
    seed: int = 0,
) -> Experiments:
    """Choose the runs that make the fit surest of ``quantity`` at a large budget for what all of them cost together.

    Parameters
    ----------
    fit : FitResult
        A law in N and D with its runs.
    target_flops : float
        The budget that the question is about.
    budget_flops : float
        What the new runs may cost together, at 6ND each.
    quantity : {"loss", "params"}
        The lowest loss of the target budget, or ln of the N that reaches it.
    max_params, max_tokens, max_run_flops : float, optional
        What a single run may have and cost.
    max_runs : int
        Most runs.
    level : float
        Level of the intervals.
    seed : int
        Seed of the draws of the law that the choice must serve.

    Raises
    ------
    UserError
        If something asked cannot be, the law is not one of N and D or has no best split, the fit does not hold its
        runs or they do not scatter, or no run can be paid within the limits.
    """
    limits = [math.inf if limit is None else float(limit) for limit in (max_params, max_tokens, max_run_flops)]
    asked = Asked(target_flops, budget_flops, quantity, max_runs, *limits)
    params, tokens = candidates(fit, asked)
    evidence = evidence_of(fit, params, tokens)
    u = evidence.draws(_DRAWS, seed)
    drawn = evidence.quantity(u, asked.target, quantity)
    cost = FLOPS_PER_PARAM_TOKEN * params * tokens
    question = replace(question_of(evidence, u, asked.target, quantity), cost=cost)
    chosen = worth_keeping(question, choose(question, asked.budget, asked.max_runs), _LEAST_HELP)
    runs = _table(fit, asked, question, chosen, params, tokens)
    return _found(fit, asked, evidence, question, drawn, chosen, runs, level)


def _found(
    fit: FitResult, asked: Asked, evidence: Evidence, question: Question, drawn: Array, chosen: list[int],
    runs: pd.DataFrame, level: float,
) -> Experiments:  # fmt: skip
    """What the chosen runs make of the interval."""
    point = expected(fit, asked, drawn)
    before = before_runs(fit, asked, evidence, question, drawn, level)
    after = after_runs(before, point, evidence, question, chosen, level)
    return Experiments(
        runs=runs,
        quantity=asked.quantity,
        expected=_exp(point),
        before=(_exp(before[0]), _exp(before[1])),
        after=(_exp(after[0]), _exp(after[1])),
        narrowing=(after[1] - after[0]) / (before[1] - before[0]),
        spent=float(runs["flops"].sum()),
        level=level,
        target_flops=asked.target,
        budget_flops=asked.budget,
        notes=_notes(fit, asked, runs, evidence.is_open),
    )


def _exp(value: float) -> float:
    return math.exp(value) if value < _LARGEST_LOG else math.inf


def _table(
    fit: FitResult, asked: Asked, question: Question, chosen: list[int], params: Array, tokens: Array
) -> pd.DataFrame:
    n, d = params[chosen], tokens[chosen]
    flops = FLOPS_PER_PARAM_TOKEN * n * d
    widening = question.widening(chosen)
    return pd.DataFrame({
        "run": [f"next-{i}" for i in range(1, len(chosen) + 1)],
        "params": n,
        "tokens": d,
        "flops": flops,
        "share": flops / asked.budget,
        "expected_loss": fit.law.predict(fit.theta, {"params": n, "tokens": d, "flops": flops, "unique_tokens": d}),
        "why": [_why(fit, *run) for run in zip(n, d, flops, widening, strict=True)],
    })  # fmt: skip


def _why(fit: FitResult, params: float, tokens: float, flops: float, widening: float) -> str:
    """Where a run stands, and what would be lost without it."""
    ratio = tokens / params
    best = fit.law.optimum(fit.theta, np.array([flops]))
    usual = float((best.tokens / best.params)[0]) if best is not None else math.nan  # NaN: no split is best
    per = f"({format_number(ratio, 2)} tokens per parameter)"
    if ratio > _LONG * usual:
        shape = f"long for its size {per}, so size limits it"
    elif ratio * _LONG < usual:
        shape = f"short for its size {per}, so data limits it"
    else:
        shape = f"near the best split {per}" if math.isfinite(usual) else per.strip("()")
    beyond = times_beyond(flops, fit.ranges["flops"]) if "flops" in fit.ranges else math.nan
    place = f"{format_ratio(beyond)} the largest run so far, " if beyond > 1 else ""
    return f"{place}{shape}; without it the interval would be {_percent(widening - 1)} wider"


def _percent(share: float) -> str:
    return f"{format_number(100 * share, 2)}%" if share < 1e3 else "very much"


def _notes(fit: FitResult, asked: Asked, runs: pd.DataFrame, is_open: bool) -> tuple[str, ...]:
    beyond = times_beyond(asked.target, fit.ranges["flops"]) if "flops" in fit.ranges else 1.0
    largest, spent = float(runs["flops"].max()), float(runs["flops"].sum())
    notes = [f"The intervals hold if {fit.law.title} does, and the new runs scatter as those before."]
    if is_open:
        notes.append("Laws of quite another kind suit these runs as well: the choice serves all that they leave open.")
    if beyond > 1:
        notes.append(
            f"The target lies {format_ratio(beyond)} beyond the largest run so far, and "
            f"{format_ratio(asked.target / largest)} beyond the largest of these."
        )
    if spent < _SPARED * asked.budget:
        notes.append(f"{100 * (1 - spent / asked.budget):.0f}% of the budget is left: more runs would add little.")
    if asked.budget >= asked.target:
        notes.append("The experiments may cost as much as the target itself: it could be trained instead.")
    if not fitted_rows(fit)["is_final"].all():
        notes.append("Checkpoints of one run count together as one run.")
    return (*notes, *(f"The fit behind this choice is doubtful: {reason}" for reason in fit.certificate.reasons))
