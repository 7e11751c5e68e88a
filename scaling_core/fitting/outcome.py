"""What a fit is asked for: its parameters, and what it says of a budget. The same columns for every refit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.fitting.recipe import fit_lines
from scaling_core.laws import Array, Law

#: The budget of Gopher (Rae et al. 2021), for which Hoffmann et al. 2022 planned Chinchilla.
GOPHER_FLOPS = 5.76e23
#: Columns of what a law says of a budget.
AT_BUDGET = ("params", "tokens", "tokens_per_param", "loss")
_TAKEN = {*AT_BUDGET, "k", "n", "value", "objective", "delta", "run"}


def outcome(law: Law, theta: Array, rows: pd.DataFrame, flops: float) -> pd.DataFrame:
    """Parameters, and N, D, D/N and loss at a budget, for a batch of parameter vectors.

    Parameters
    ----------
    theta : array, shape (B, p)
    rows : pandas.DataFrame
        The fitted runs: a law without a best split continues the line that they follow.
    flops : float
        The budget C.

    Returns
    -------
    pandas.DataFrame
        B rows: one column a parameter, then ``params``, ``tokens``, ``tokens_per_param`` and ``loss``. What the law
        or the runs do not say is NaN.
    """
    named = dict(zip(parameter_columns(law), np.asarray(theta, dtype=float).T, strict=True))
    return pd.DataFrame({**named, **_at_budget(law, theta, rows, flops)}, columns=[*named, *AT_BUDGET])


def parameter_columns(law: Law) -> tuple[str, ...]:
    """Names of the parameters as columns; one that would be taken for something else says that it is a parameter."""
    return tuple(f"{name} (parameter)" if name in _TAKEN else name for name in law.parameter_names)


def main_quantity(law: Law) -> str:
    """The column of ``outcome`` that a plan turns on: how the budget is split, or else the loss."""
    return "tokens_per_param" if _splits_budgets(law) else "loss"


def _splits_budgets(law: Law) -> bool:
    return law.optimum(np.ones(len(law.parameters)), np.array([1e20])) is not None


def _at_budget(law: Law, theta: Array, rows: pd.DataFrame, flops: float) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        best = law.optimum(theta, np.array([flops]))
        if best is not None:
            params, tokens, loss = (np.asarray(a)[:, 0] for a in best)
            return {"params": params, "tokens": tokens, "tokens_per_param": tokens / params, "loss": loss}
        point = along_the_runs(law, rows, flops)
        at = {name: np.full(len(theta), point.get(name, np.nan)) for name in ("params", "tokens")}
        loss = law.predict(theta, {name: np.array([point[name]]) for name in law.predictors})[:, 0]
    return {**at, "tokens_per_param": at["tokens"] / at["params"], "loss": loss}


def along_the_runs(law: Law, rows: pd.DataFrame, flops: float) -> dict[str, float]:
    """Where the runs lead at a budget: N and D on their lines against C, other predictors as in the largest run."""
    lines = fit_lines(rows)
    point: dict[str, float] = {name: _continued(lines[name], flops) for name in ("params", "tokens") if name in lines}
    largest = rows.iloc[int(rows["flops"].fillna(0.0).to_numpy().argmax())]
    others = {name: float(largest[name]) for name in law.predictors if name not in (*point, "flops")}
    return {**others, **point, "flops": flops}


def _continued(line: dict[str, float], flops: float) -> float:
    return float(np.exp(line["intercept"] + line["slope"] * np.log(flops)))
