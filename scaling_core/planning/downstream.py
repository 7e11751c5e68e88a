"""A metric at the loss of a plan, by a fit of that metric to the loss of runs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.planning.plan import Plan


class Downstream(NamedTuple):
    """The metric and its interval: that of the plan's loss, widened by that of the mapping."""

    value: float
    low: float
    high: float


def reads_loss(fit: FitResult) -> bool:
    """Whether a fit maps a loss to another metric."""
    return fit.law.predictors == ("proxy_loss",)


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
