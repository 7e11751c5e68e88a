"""What a plan stands on: a law with its parameters, their draws, and the extent of the runs behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, Line
from scaling_core.laws import Array, Law, Mask, get_law
from scaling_core.planning.published import PublishedLaw
from scaling_core.planning.repeats import Decays, decays_of
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import Surface
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.runs.schema import PREDICTORS


@dataclass(frozen=True)
class Basis:
    """A law to plan with.

    Attributes
    ----------
    title : str
        Where the law came from, for a person.
    law : Law or None
        None where only the split of a budget was published, and no loss.
    theta : array, shape (p,)
    draws : array, shape (R, p)
        R may be 0: then there are no intervals.
    lines : dict of Line
        How the runs split compute, for a law that has no optimum of its own.
    ranges : dict
        Extent of the runs in N, D and C, as far as known.
    source : str
        Where the numbers come from.
    notes : tuple of str
        Caveats to show beside every plan; the last says how N and D were found where the law has no optimum.
    doubts : tuple of str
        Why the fit itself is not certified as good.
    metric : Metric
        What the law gives the cost of: the loss, or another metric that the runs were fitted by.
    """

    title: str
    law: Law | None
    theta: Array
    draws: Array
    lines: dict[str, Line]
    ranges: dict[str, tuple[float, float]]
    notes: tuple[str, ...]
    source: str
    doubts: tuple[str, ...] = ()
    metric: Metric = LOSS

    @property
    def has_optimum(self) -> bool:
        """Whether the law itself says how to split a budget."""
        return self.law is not None and self.law.optimum(self.theta, np.array([1e20])) is not None

    @property
    def continues_the_runs(self) -> bool:
        """Whether N and D of a plan go on as those of the runs did, since the law itself does not split a budget."""
        return self.law is not None and not self.has_optimum and {"params", "tokens"} <= set(self.lines)

    @property
    def law_name(self) -> str:
        """Name of the law; empty where there is none."""
        return self.law.name if self.law else ""

    def surface(self, scenario: Scenario, theta: Array) -> Surface:
        """Loss over N and D for parameter vectors (R, p), under the data of the scenario."""
        assert self.law is not None  # asked only where has_optimum holds
        return Surface(self.law, theta, scenario.unique_tokens, scenario.decay)

    def decays(self, scenario: Scenario) -> Decays | None:
        """How fast repeats lose their value: by the law where it says so, else by the scenario.

        None for a formula of one's own that reads the unique tokens.
        """
        return decays_of(self.law, self.theta, self.draws, scenario.decay)

    def floor(self, scenario: Scenario) -> float:
        """Loss that no model comes below."""
        return float(self.surface(scenario, self.theta[None]).floor[0, 0])


def basis_of_fit(fit: FitResult) -> Basis:
    """Plan with a law fitted to runs.

    Raises
    ------
    UserError
        If the law says that more parameters, or more tokens, never help: then no split of a budget is best.
    """
    lines = {name: Line(**line) for name, line in fit.lines.items()}
    basis = Basis(
        fit.law.title,
        fit.law,
        fit.theta,
        fit.draws,
        lines,
        fit.ranges,
        (),
        f"fitted to {fit.n_points} points",
        fit.certificate.reasons,
        fit.metric,
    )
    if basis.has_optimum:
        return _without_impossible_draws(basis)
    if unknown := [name for name in fit.law.predictors if name not in PREDICTORS]:
        raise UserError(
            f"{fit.law.title} reads “{unknown[0]}”, which a budget does not give.",
            fix="Plan with a law in N, D or C.",
        )
    if "params" not in lines or "tokens" not in lines:
        return _with_note(basis, "The runs do not say how N and D went with compute, so no size can be named.")
    exponent = lines["params"].slope
    letter = " and ".join({"params": "N", "tokens": "D", "flops": "C"}[name] for name in fit.law.predictors)
    return _with_note(
        basis,
        f"A law in {letter} alone cannot tell how to split a budget: N and D continue the line of these runs "
        f"(N grows as C^{exponent:.2f}), which need not be the best split.",
    )


def basis_of_published(published: PublishedLaw) -> Basis:
    """Plan with published constants. They come without draws, so without intervals."""
    if not published.law:
        return _basis_of_split(published)
    law = get_law(published.law)
    notes = (*published.caveats, "Published without its uncertainty: no intervals can be given.",
             "Losses hold for the source's own data and tokeniser.")  # fmt: skip
    theta = np.array(published.theta)
    return Basis(
        published.title, law, theta, np.zeros((0, len(theta))), {}, dict(published.ranges), notes, published.source
    )


def _basis_of_split(published: PublishedLaw) -> Basis:
    """Plan with a published split of budgets, N = a·C^b, without a law of loss."""
    size = published.split
    assert size is not None  # a published law has a law or a split
    a, b = size
    line = {
        "params": Line(b, float(np.log(a)), 3),
        "tokens": Line(1 - b, float(-np.log(6 * a)), 3),
        "tokens_per_param": Line(1 - 2 * b, float(-np.log(6 * a * a)), 3),
    }
    notes = (*published.caveats, "Published without its uncertainty: no intervals can be given.",
             "Only the split of a budget was published: what loss it reaches cannot be told.")  # fmt: skip
    return Basis(
        published.title, None, np.zeros(0), np.zeros((0, 0)), line, dict(published.ranges), notes, published.source
    )


def _without_impossible_draws(basis: Basis) -> Basis:
    """Set aside draws in which one term vanishes: they have no best split."""
    assert basis.law is not None  # it has an optimum
    if not _has_best_split(basis.law, basis.theta[None])[0]:
        raise UserError(
            "This fit says that parameters or tokens make no difference to loss, so no split of a budget is best.",
            fix="Add runs that vary N and D apart, or plan with a law in C.",
        )
    possible = _has_best_split(basis.law, basis.draws)
    if possible.all():
        return basis
    note = f"{(~possible).sum()} of {len(possible)} bootstrap draws have no best split and are not in the intervals."
    return _with_note(replace(basis, draws=basis.draws[possible]), note)


def _has_best_split(law: Law, theta: Array) -> Mask:
    best = law.optimum(theta, np.array([1e20]))
    assert best is not None  # asked only where has_optimum holds
    return np.asarray(np.isfinite(best.params).all(axis=-1))


def _with_note(basis: Basis, note: str) -> Basis:
    return replace(basis, notes=(*basis.notes, note))
