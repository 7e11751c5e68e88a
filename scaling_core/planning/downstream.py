"""A metric at the loss of a plan, by a fit of that metric to the loss of runs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.laws import Array
from scaling_core.planning.plan import Plan

#: Losses among which one is looked for that reaches a metric.
_LOSSES = np.geomspace(1e-2, 1e2, 801)
_HALVINGS = 60


class Downstream(NamedTuple):
    """The metric and its interval: that of the plan's loss, widened by that of the mapping."""

    value: float
    low: float
    high: float


def reads_loss(fit: FitResult) -> bool:
    """Whether a fit maps a loss to another metric."""
    return fit.law.predictors == ("proxy_loss",)


def loss_for(fit: FitResult, cost: float) -> float:
    """Return the highest loss at which a mapping reaches a cost of its metric, to the last digits.

    Raises
    ------
    UserError
        If no loss reaches it, or every loss does.
    """
    reaches = _costs(fit, _LOSSES) <= cost
    metric = fit.metric
    if reaches.all() or not reaches.any():
        end = metric.text_of(float(_costs(fit, _LOSSES[[-1 if reaches.all() else 0]])[0]))
        said = f"even a model that knows nothing has {end}" if reaches.all() else f"it ends at {end}"
        raise UserError(
            f"By the fit from the loss to {metric.title}, {metric.text_of(cost)} is no question of the loss: {said}.",
            fix=f"Ask for another {metric.title}, or for a loss.",
        )
    at = int(np.flatnonzero(reaches)[-1])
    if at == len(_LOSSES) - 1:
        raise UserError(f"The fit from the loss to {metric.title} does not rise with it.", fix="Ask for a loss.")
    low, high = np.log(_LOSSES[at]), np.log(_LOSSES[at + 1])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _costs(fit, np.exp([middle]))[0] <= cost else (low, middle)
    return float(np.exp(low))


def _costs(fit: FitResult, losses: Array) -> Array:
    """What the mapping says of losses (m,)."""
    return np.asarray(fit.law.predict(fit.theta, {"proxy_loss": losses}), dtype=float)


def downstream(fit: FitResult, answer: Plan) -> Downstream:
    """Return the metric that a plan would reach.

    The ends of the plan's interval of loss are followed through the mapping, and the wider of what the mapping's own
    draws say there is taken: both are unsure, and they are unsure together.

    Raises
    ------
    UserError
        If the fit is not from loss to a metric, or the plan has no loss.
    """
    if not reads_loss(fit):
        raise UserError(f"{fit.law.title} does not read a loss.", fix="Fit a metric with a law from loss to metric.")
    if not math.isfinite(answer.loss):
        raise UserError("The plan has no loss to read a metric off.", fix="Plan with a law of loss.")
    ends = answer.intervals.get("loss", (answer.loss, answer.loss))
    shown = fit.shown(fit.predict({"proxy_loss": np.array([answer.loss, *ends])}, answer.level))
    every = np.concatenate([shown.value, shown.low, shown.high])
    known = every[np.isfinite(every)]
    return Downstream(float(shown.value[0]), float(known.min()), float(known.max()))
