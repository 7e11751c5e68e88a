"""Which law to believe: every law on the same runs, ranked by how well it foretold the largest, which it was not shown.

A law with more parameters always describes the runs it was fitted to better; what counts is what it says beyond them
(a rank by R² or by information criteria alone rewards laws that bend to noise).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.backtest import HeldOut, Target, at_target, held_out
from scaling_core.fitting.certificate import Certificate
from scaling_core.fitting.criteria import Criteria, information_criteria
from scaling_core.fitting.doubts import doubts
from scaling_core.fitting.fit import Posed, pose
from scaling_core.fitting.objective import Objective
from scaling_core.fitting.selection import FITTED, Selection, roles
from scaling_core.fitting.split import choose_cut, require_trainable, split
from scaling_core.fitting.subsets import SubsetFit, fit_subsets
from scaling_core.laws import LAWS, Law
from scaling_core.runs.schema import RunTable

_NAN = float("nan")
_NO_TARGET = Target()


@dataclass(frozen=True)
class Comparison:
    """How one law fares.

    Attributes
    ----------
    law : Law
    reason : str
        Why the law was not fitted, not judged, or is not quite comparable; empty where all is well.
    full : SubsetFit or None
        The law on all chosen runs, with its certificate; None where it cannot be fitted.
    held_out : HeldOut or None
        The law on the runs below the cut, and how it foretold the others; None where too few are below.
    in_sample_error : float
        Mean of |ln L − ln L_pred| over all chosen runs, of the law fitted to all of them.
    criteria : Criteria or None
        Information criteria of the full fit (``scaling_core.fitting.criteria`` says by which likelihood). They compare
        laws that were fitted to the same runs with the same objective.
    n : int
        Runs of the full fit.
    target_flops : float
        The budget that ``target`` is about.
    target : Target
        What the full fit says of it.
    """

    law: Law
    reason: str
    full: SubsetFit | None = None
    held_out: HeldOut | None = None
    in_sample_error: float = _NAN
    criteria: Criteria | None = None
    n: int = 0
    target_flops: float = _NAN
    target: Target = _NO_TARGET

    @property
    def fitted(self) -> bool:
        """Whether the law could be fitted to all chosen runs."""
        return self.full is not None

    @property
    def held_out_error(self) -> float:
        """Mean of |ln L − ln L_pred| over the runs held out; NaN where there was no judging."""
        return self.held_out.error if self.held_out else _NAN

    @property
    def parameters(self) -> dict[str, float]:
        """Parameters of the full fit by name; empty without one."""
        if self.full is None:
            return {}
        return {n: float(v) for n, v in zip(self.law.parameter_names, self.full.theta, strict=True)}

    @property
    def certificate(self) -> Certificate | None:
        """Certificate of the full fit."""
        return self.full.certificate if self.full else None

    def to_json(self) -> dict[str, Any]:
        """Every figure, as JSON types; errors are fractions."""
        if self.full is None:
            return {"law": self.law.name, "title": self.law.title, "error": self.reason}
        out, criteria = self.held_out, self.criteria
        return {
            "law": self.law.name,
            "title": self.law.title,
            "held_out_error": self.held_out_error,
            "held_out_error_se": out.error_se if out else None,
            "held_out_bias": out.bias if out else None,
            "in_sample_error": self.in_sample_error,
            "aic": criteria.aic if criteria else None,
            "aicc": criteria.aicc if criteria else None,
            "bic": criteria.bic if criteria else None,
            "parameters": self.parameters,
            "certificate": self.full.certificate.to_json(),
            "target_flops": self.target_flops,
            **self.target._asdict(),
            "held_out_above": out.above if out else None,
            "beyond": out.beyond if out else None,
            "n": self.n,
            "n_train": out.n_train if out else None,
            "n_test": out.n_test if out else None,
            "held_out_parameters": out.parameters if out else None,
            "held_out_certificate": out.certificate.to_json() if out else None,
            "reason": self.reason,
        }


def compare(
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    laws: Iterable[Law] | None = None,
    above: float | None = None,
    target_flops: float | None = None,
) -> list[Comparison]:
    """Fit every law to all chosen runs and to those below a cut in compute, and rank them, best first.

    Parameters
    ----------
    laws : iterable of Law, optional
        By default all of ``LAWS``. Laws that cannot be fitted come last, with the reason.
    above : float, optional
        Runs of so many FLOPs or more are held out; by default about the top fifth.
    target_flops : float, optional
        The budget to split by each law; by default the largest compute of the chosen runs.

    Raises
    ------
    UserError
        If the runs have no loss, or their compute is not known.
    """
    selection = selection or Selection()
    rows = _chosen(table, selection)
    cut = choose_cut(rows) if above is None else above
    target = target_flops or float(rows["flops"].max())
    found = [_one(law, table, objective, selection, cut, target) for law in (LAWS.values() if laws is None else laws)]
    return sorted(_with_smaller_samples(found), key=_rank)


def _chosen(table: RunTable, selection: Selection) -> pd.DataFrame:
    """Rows that any law in compute could be fitted to."""
    if not table.has_loss:
        raise UserError("These runs have no loss, so laws cannot be compared on them.",
                        fix="Name the column that holds it.")  # fmt: skip
    rows = table.frame[roles(table, selection, ("flops",)) == FITTED]
    if rows.empty:
        raise UserError(
            "The largest runs are held out by their compute, but none of the chosen runs has one.",
            fix="Name the columns of parameters and tokens, or of FLOPs; or choose other points.",
        )
    return rows


def _one(
    law: Law, table: RunTable, objective: Objective, selection: Selection, cut: float, target: float
) -> Comparison:
    try:
        posed = pose(law, table, objective, selection)
    except UserError as error:
        return Comparison(law, error.line())
    train, test = split(posed, cut)
    every = np.ones(len(train), dtype=bool)
    try:
        require_trainable(posed, train, test, cut)
    except UserError as error:
        (full,) = fit_subsets(posed, every[None])
        return _judged(posed, full, None, error.line(), target)
    full, below = fit_subsets(posed, np.array([every, train]))
    return _judged(posed, full, held_out(posed, cut, train, test, below), "", target)


def _judged(posed: Posed, full: SubsetFit, out: HeldOut | None, reason: str, target: float) -> Comparison:
    x = {name: posed.rows[name].to_numpy(dtype=float) for name in posed.law.predictors}
    ratio = posed.rows["loss"].to_numpy(dtype=float) / posed.law.predict(full.theta, x)
    certificate = full.certificate.with_doubts(doubts(posed.law, posed.rows, ratio - 1))
    n = len(posed.rows)
    return Comparison(
        law=posed.law,
        reason=reason,
        full=SubsetFit(full.theta, full.total, certificate),
        held_out=out,
        in_sample_error=float(np.abs(np.log(ratio)).mean()),
        criteria=information_criteria(posed.objective, full.total, n, posed.problem.free),
        n=n,
        target_flops=target,
        target=at_target(posed.law, full.theta, posed.rows, target),
    )


def _with_smaller_samples(found: list[Comparison]) -> list[Comparison]:
    """Say which laws were fitted to fewer runs than others: their errors and criteria are about other runs."""
    most = max((c.n for c in found), default=0)
    return [replace(c, reason=_joined(c.reason, f"Only {c.n} of {most} runs have what this law reads: its figures are "
                                                "about those.")) if 0 < c.n < most else c for c in found]  # fmt: skip


def _joined(*texts: str) -> str:
    return " ".join(t for t in texts if t)


def _rank(c: Comparison) -> tuple[int, float]:
    if math.isfinite(c.held_out_error):
        return 0, c.held_out_error
    return (1, c.in_sample_error) if c.fitted else (2, 0.0)
