"""What a law would have foretold: fitted on some runs, judged on others that it was not shown.

Runs are held out by rule (the largest compute, one size), never at random: a random fold lies between its neighbours
and hides how a law fails where it is asked to go, beyond all runs. All subsets of one question are one batched solve.

Throughout, an error is the mean of |ln L − ln L_pred| and a bias the mean of ln L − ln L_pred: fractions, as long as
they are small. A positive bias means that runs came out worse than foretold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.certificate import Certificate
from scaling_core.fitting.fit import Posed, pose
from scaling_core.fitting.levels import SAME_SIZE, same_level
from scaling_core.fitting.objective import Objective
from scaling_core.fitting.outcome import main_quantity, outcome
from scaling_core.fitting.selection import FITTED, HELD_OUT, UNUSABLE, Selection
from scaling_core.fitting.split import choose_cut, default_cuts, require_trainable, split, trainable
from scaling_core.fitting.subsets import SubsetFit, fit_subsets
from scaling_core.laws import Array, Law, Mask
from scaling_core.runs.schema import RunTable


@dataclass(frozen=True)
class HeldOut:
    """A law fitted below a cut in compute and judged above it.

    Attributes
    ----------
    law : Law
    above : float
        The cut in FLOPs: runs of so much or more were held out.
    n_train, n_test : int
    error, bias : float
        Fractions, over the runs held out.
    error_se : float
        Standard error of ``error``, from its scatter over the runs held out; NaN with one run.
    in_sample_error : float
        The same as ``error``, over the runs fitted.
    beyond : float
        Largest compute held out over the largest fitted.
    theta : array, shape (p,)
        Parameters, from the runs below the cut.
    certificate : Certificate
        Of that fit.
    rows : pandas.DataFrame
        The selected rows with ``role`` (fitted, held out, or unusable where the compute is unknown or the row is an
        earlier checkpoint of a run held out), ``predicted`` and ``error`` (ln L − ln L_pred).
    """

    law: Law
    above: float
    n_train: int
    n_test: int
    error: float
    bias: float
    error_se: float
    in_sample_error: float
    beyond: float
    theta: Array
    certificate: Certificate
    rows: pd.DataFrame

    @property
    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return _named(self.law, self.theta)


class Target(NamedTuple):
    """What a law says of a budget; NaN where it says nothing."""

    params: float = float("nan")
    tokens: float = float("nan")
    tokens_per_param: float = float("nan")
    loss: float = float("nan")


def hold_out(posed: Posed, above: float | None = None) -> HeldOut:
    """Fit a posed law on the rows with C < ``above``, and judge it on those with C ≥ ``above``.

    Parameters
    ----------
    above : float, optional
        In FLOPs; by default the cut that holds out about the top fifth of the runs.

    Raises
    ------
    UserError
        If no run lies beyond the cut, or too few before it for the law.
    """
    cut = choose_cut(posed.rows) if above is None else above
    train, test = split(posed, cut)
    require_trainable(posed, train, test, cut)
    (found,) = fit_subsets(posed, train[None])
    return held_out(posed, cut, train, test, found)


def held_out(posed: Posed, cut: float, train: Mask, test: Mask, found: SubsetFit) -> HeldOut:
    """Judge a fit of the rows ``train`` on the rows ``test``."""
    predicted = _predict(posed, found.theta)
    error = np.log(posed.rows["loss"].to_numpy(dtype=float) / predicted)
    flops = posed.rows["flops"].to_numpy(dtype=float)
    off = np.abs(error[test])
    return HeldOut(
        law=posed.law,
        above=float(cut),
        n_train=int(train.sum()),
        n_test=int(test.sum()),
        error=float(off.mean()),
        bias=float(error[test].mean()),
        error_se=float(off.std(ddof=1) / np.sqrt(len(off))) if len(off) > 1 else float("nan"),
        in_sample_error=float(np.abs(error[train]).mean()),
        beyond=float(flops[test].max() / flops[train].max()),
        theta=found.theta,
        certificate=found.certificate,
        rows=posed.rows.assign(
            role=np.select([train, test], [FITTED, HELD_OUT], UNUSABLE), predicted=predicted, error=error
        ),
    )


def forward_chain(
    law: Law,
    table: RunTable,
    objective: Objective,
    selection: Selection | None = None,
    cuts: Any = None,
    target_flops: float | None = None,
    **how: Any,
) -> pd.DataFrame:
    """What would have been foretold with the runs up to each of ``cuts``, and in the last row with all runs.

    Parameters
    ----------
    cuts : sequence of float, optional
        In FLOPs; by default up to 12, even in ln C, from the first that leaves enough runs to fit.
    target_flops : float, optional
        The budget of the ``…_at_target`` columns; by default the largest of the runs.
    how
        ``weights`` and ``constraints``, as ``fit`` takes them.

    Returns
    -------
    pandas.DataFrame
        A row for each cut, ascending: ``cut`` (infinite in the last row), ``n_train``, ``n_test``, ``error``,
        ``bias``, ``beyond``, ``grade`` (of the certificate), a column for each parameter (``parameter_NAME`` where the
        name is taken), ``target_flops``, ``params_at_target``, ``tokens_at_target``, ``tokens_per_param`` and
        ``loss_at_target``.

    Raises
    ------
    UserError
        If no cut leaves runs on both sides that can be fitted and judged.
    """
    posed = pose(law, table, objective, selection, **how)
    wanted = default_cuts(posed) if cuts is None else np.sort(np.asarray(cuts, dtype=float))
    masks = [(cut, *split(posed, cut)) for cut in [*wanted, np.inf]]
    kept = [m for m in masks if trainable(posed, m[1]) and (m[2].any() or np.isinf(m[0]))]
    if len(kept) < 2:
        raise UserError(
            f"No cut in compute leaves enough runs below it to fit {law.title} and others above it to judge it by.",
            fix="Choose cuts inside the compute of the runs, or a simpler law.",
        )
    found = fit_subsets(posed, np.array([train for _, train, _ in kept]))
    target = target_flops or float(posed.rows["flops"].max())
    return pd.DataFrame([
        {**_scores(posed, train, test, one), **_said(posed, one.theta, target), "cut": cut}
        for (cut, train, test), one in zip(kept, found, strict=True)
    ]).pipe(_with_first, "cut")  # fmt: skip


def leave_one_size_out(
    law: Law, table: RunTable, objective: Objective, selection: Selection | None = None, **how: Any
) -> pd.DataFrame:
    """Fit without the runs of each size in turn, and judge on those.

    Returns
    -------
    pandas.DataFrame
        A row for each size, ascending: ``params``, ``inside`` (whether other sizes lie on both sides), then as
        ``forward_chain``: ``n_train``, ``n_test``, ``error``, ``bias``, ``beyond``, ``grade`` and the parameters. For
        the largest size ``beyond`` says by how much its compute exceeds that of all others.

    Raises
    ------
    UserError
        If the runs have fewer than two sizes, or no size can be spared.
    """
    posed = pose(law, table, objective, selection, **how)
    sizes = posed.rows["params"].to_numpy(dtype=float)
    if np.isnan(sizes).any() or len(np.unique(level := same_level(sizes, SAME_SIZE))) < 2:
        raise UserError(
            "Runs of one size are held out in turn, but these runs do not have two known sizes.",
            fix="Name the column that holds the parameters, or hold out by compute.",
        )
    each = [level == k for k in range(level.max() + 1)]
    tests = [test for test in each if trainable(posed, ~test)]
    if not tests:
        raise UserError(f"Without the runs of one size, too few are left to fit {law.title}.",
                        fix="Choose a simpler law.")  # fmt: skip
    found = fit_subsets(posed, ~np.array(tests))
    return pd.DataFrame([
        {
            "params": float(np.exp(np.log(sizes[test]).mean())),
            "inside": bool(sizes[~test].min() < sizes[test].min() and sizes[test].max() < sizes[~test].max()),
            **_scores(posed, ~test, test, one), **_parameter_columns(posed.law, one.theta),
        }
        for test, one in zip(tests, found, strict=True)
    ])  # fmt: skip


def at_target(law: Law, theta: Array, rows: pd.DataFrame, flops: float) -> Target:
    """What a law says of a budget: its best split and the loss; without a split, the loss where ``rows`` lead."""
    said = outcome(law, theta[None], rows, flops).iloc[0]
    if main_quantity(law) != "tokens_per_param":
        return Target(loss=float(said["loss"]))
    return Target(*(float(said[name]) for name in Target._fields))


def _predict(posed: Posed, theta: Array) -> Array:
    return posed.law.predict(theta, {name: posed.rows[name].to_numpy(dtype=float) for name in posed.law.predictors})


def _scores(posed: Posed, train: Mask, test: Mask, found: SubsetFit) -> dict[str, Any]:
    error = np.log(posed.rows["loss"].to_numpy(dtype=float) / _predict(posed, found.theta))
    flops = posed.rows["flops"].to_numpy(dtype=float)
    any_test = bool(test.any())
    return {
        "n_train": int(train.sum()),
        "n_test": int(test.sum()),
        "error": float(np.abs(error[test]).mean()) if any_test else np.nan,
        "bias": float(error[test].mean()) if any_test else np.nan,
        "beyond": float(np.nanmax(flops[test]) / np.nanmax(flops[train])) if any_test else 1.0,
        "grade": found.certificate.grade,
    }


def _said(posed: Posed, theta: Array, flops: float) -> dict[str, float]:
    said = at_target(posed.law, theta, posed.rows, flops)
    return {
        **_parameter_columns(posed.law, theta), "target_flops": flops, "params_at_target": said.params,
        "tokens_at_target": said.tokens, "tokens_per_param": said.tokens_per_param, "loss_at_target": said.loss,
    }  # fmt: skip


_TAKEN = {"cut", "params", "inside", "n_train", "n_test", "error", "bias", "beyond", "grade", "target_flops",
          "params_at_target", "tokens_at_target", "tokens_per_param", "loss_at_target"}  # fmt: skip


def _parameter_columns(law: Law, theta: Array) -> dict[str, float]:
    return {f"parameter_{n}" if n in _TAKEN else n: v for n, v in _named(law, theta).items()}


def _named(law: Law, theta: Array) -> dict[str, float]:
    return {n: float(v) for n, v in zip(law.parameter_names, theta, strict=True)}


def _with_first(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame[[column, *(c for c in frame if c != column)]]
