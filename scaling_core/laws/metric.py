"""From the loss to a bounded metric: the cost of a metric (an error rate) as a function of the loss beneath it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.formula import FormulaLaw
from scaling_core.laws.jet import exp, logistic

_PREDICTOR = "proxy_loss"


class _OfLoss(FormulaLaw):
    """A law that reads the loss of runs which are judged by another metric."""

    predictors = (_PREDICTOR,)

    def check(self, frame: pd.DataFrame) -> None:
        """Refuse runs that are judged by their loss.

        Raises
        ------
        UserError
            If there is no loss beside the fitted metric.
        """
        if _PREDICTOR not in frame:
            raise UserError(
                f"{self.title} goes from the loss to another metric, and what is fitted here is the loss itself.",
                fix="Choose another column than the loss as what is fitted (an accuracy, say), or another law.",
            )
        super().check(frame)


class MetricExponential(_OfLoss):
    """cost(L) = epsilon − k·e^(−gamma·L)."""

    name = "metric-exponential"
    title = "Metric from loss, exponential"
    latex = r"\mathrm{{cost}}(L) = {epsilon} - {k} \, e^{{-{gamma} L}}"
    parameters = (
        Parameter("epsilon", r"\epsilon", "cost of a model that knows nothing", ""),
        Parameter("k", "k", "how much lower the cost would be at a loss of 0", "", log=True),
        Parameter("gamma", r"\gamma", "how fast the gain dies out as loss rises", "", lower=0.01, upper=50.0),
    )
    source = "Gadre et al. 2024, arXiv 2403.08540, eq. 5"
    linear = ("epsilon", "k")

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Cost from parameters by name and ln of the loss."""
        return p["epsilon"] - p["k"] * exp(-p["gamma"] * np.exp(z[_PREDICTOR]))

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Rates from nearly a line over the runs to a sharp bend."""
        return {"gamma": np.geomspace(0.1, 12.0, 14) / np.ptp(np.exp(z[_PREDICTOR]))}


class MetricLogistic(_OfLoss):
    """cost(L) = b + a/(1 + e^(−k·(L − L0)))."""

    name = "metric-logistic"
    title = "Metric from loss, logistic"
    latex = r"\mathrm{{cost}}(L) = {b} + \frac{{{a}}}{{1 + e^{{-{k} (L - {L0})}}}}"
    parameters = (
        Parameter("b", "b", "lowest cost that can be reached", ""),
        Parameter("a", "a", "height from there to the cost of knowing nothing", ""),
        Parameter("k", "k", "how steeply the cost rises with loss", "", lower=0.01, upper=100.0, log=True),
        Parameter("L0", "L_0", "loss at which the cost is half-way", "nats per token"),
    )
    source = "Bhagia et al. 2024, arXiv 2412.04403, eq. 4"
    linear = ("b", "a")

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Cost from parameters by name and ln of the loss."""
        return p["b"] + p["a"] * logistic(p["k"] * (np.exp(z[_PREDICTOR]) - p["L0"]))

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Steepness by the span of the losses, with the middle among them and a little outside."""
        x = np.exp(z[_PREDICTOR])
        return {
            "k": np.array([1.5, 4.0, 10.0, 25.0]) / np.ptp(x),
            "L0": x.min() + np.ptp(x) * np.array([-0.3, 0.1, 0.4, 0.7, 1.0]),
        }
