"""A fit: a law, its estimated parameters, and how sure they are. Frozen, and able to speak for itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.certificate import Certificate
from scaling_core.fitting.objective import OBJECTIVES
from scaling_core.fitting.options import Constraint
from scaling_core.fitting.recipe import Line
from scaling_core.fitting.uncertainty import METHODS
from scaling_core.laws import Array, Law, Predictors, get_law
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_number

DEFAULT_LEVEL = 0.90
JSON_FORMAT = 1


class Band(NamedTuple):
    """A prediction and its interval, arrays of one shape. Without draws the interval is NaN."""

    value: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class FitResult:
    """A fitted law.

    Attributes
    ----------
    law : Law
    theta : array, shape (p,)
        Parameters, in the law's order.
    draws : array, shape (R, p)
        Bootstrap draws of the parameters; R may be 0.
    objective : str
        Name of the objective.
    value : float
        Objective at ``theta`` (sum for Huber, mean square for squared error).
    certificate : Certificate
    points : pandas.DataFrame
        Every row that was considered: the table's columns with ``role``, ``predicted`` and ``residual`` (relative,
        L/L_pred − 1). Empty for a fit read from a file.
    ranges : dict
        Smallest and largest fitted value of each of N, D, C and L.
    lines : dict
        How N, D and D/N went with C in the fitted runs (see ``scaling_core.fitting.recipe``).
    notes : tuple of str
    seed : int
        Seed of the draws.
    delta : float or None
        Huber's threshold, where the objective has one.
    method : str
        How the draws were made.
    metric : Metric
        What was fitted: the loss, or the cost of another metric.
    weights : str
        What the points were weighted by; empty for equal weights.
    constraints : tuple of Constraint
        Bounds and fixed values that a person set.
    """

    law: Law
    theta: Array
    draws: Array
    objective: str
    value: float
    certificate: Certificate
    n_points: int
    points: pd.DataFrame
    ranges: dict[str, tuple[float, float]]
    lines: dict[str, Any]
    notes: tuple[str, ...]
    seed: int
    delta: float | None = None
    method: str = "pairs"
    metric: Metric = LOSS
    weights: str = ""
    constraints: tuple[Constraint, ...] = ()

    @property
    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return {n: float(v) for n, v in zip(self.law.parameter_names, self.theta, strict=True)}

    def intervals(self, level: float = DEFAULT_LEVEL) -> dict[str, tuple[float, float]]:
        """Percentile intervals of the parameters; empty without draws."""
        if not len(self.draws):
            return {}
        low, high = quantile_interval(self.draws, level)
        return {n: (float(a), float(b)) for n, a, b in zip(self.law.parameter_names, low, high, strict=True)}

    def standard_errors(self) -> dict[str, float]:
        """Standard deviations of the draws; empty with fewer than two."""
        if len(self.draws) < 2:
            return {}
        spread = self.draws.std(axis=0, ddof=1)
        return {n: float(s) for n, s in zip(self.law.parameter_names, spread, strict=True)}

    def predict(self, x: Predictors, interval: float = DEFAULT_LEVEL) -> Band:
        """Loss at predictors of shape (n,), with the interval of the law itself (a single run scatters more)."""
        value = self.law.predict(self.theta, x)
        if not len(self.draws):
            nothing = np.full(value.shape, np.nan)
            return Band(value, nothing, nothing)
        return Band(value, *quantile_interval(self.law.predict(self.draws, x), interval))

    def shown(self, band: Band) -> Band:
        """A prediction as the metric itself: the end that costs more is the lower one where higher is better."""
        value, a, b = (self.metric.shown(v) for v in band)
        return Band(value, np.minimum(a, b), np.maximum(a, b))

    def scatter(self) -> float:
        """Root mean square of the fitted runs' relative residuals; NaN for a fit read from a file."""
        if self.points.empty:
            return float("nan")
        fitted = self.points.loc[self.points["role"] == "fitted", "residual"]
        return float(np.sqrt(np.mean(np.square(fitted))))

    def summary(self, level: float = DEFAULT_LEVEL) -> str:
        """Return a few lines of text: parameters with intervals, objective and certificate."""
        c = self.certificate
        lines = [f"{self.law.title} on {self.n_points} points, objective {self.objective} = {self.value:.14g}"]
        if self.metric != LOSS:
            lines.append(f"  fitted is {self.metric.cost_title}")
        intervals = self.intervals(level)
        for name, value in self.parameters.items():
            low_high = intervals.get(name)
            between = f"   {level:.0%} interval {low_high[0]:.5g} to {low_high[1]:.5g}" if low_high else ""
            lines.append(f"  {name:<6} {format_number(value, 6):>12}{between}")
        lines.append(
            f"  certificate: {c.grade}; scaled gradient {c.gradient_norm:.1e}, "
            f"{c.starts_agreeing} of {c.starts} starts agree"
        )
        lines += [f"  ! {reason}" for reason in c.reasons] + [f"  - {note}" for note in self.notes]
        return "\n".join(lines)

    def to_json(self, level: float = DEFAULT_LEVEL) -> dict[str, Any]:
        """Everything but the runs, at full precision, as JSON types. ``from_json`` reads it back."""
        return {
            "format": JSON_FORMAT,
            "law": self.law.name,
            "formula": self.law.formula(),
            "parameters": self.parameters,
            "objective": {"name": self.objective, "value": self.value, "delta": self.delta},
            "metric": {**asdict(self.metric), "text": self.metric.text, "fitted": self.metric.cost_title},
            "weights": self.weights,
            "constraints": [c.format() for c in self.constraints],
            "certificate": self.certificate.to_json(),
            "intervals": {k: list(v) for k, v in self.intervals(level).items()},
            "interval_level": level,
            "standard_errors": self.standard_errors(),
            "n_points": self.n_points,
            "ranges": {k: list(v) for k, v in self.ranges.items()},
            "lines": self.lines,
            "notes": list(self.notes),
            "bootstrap": {"method": self.method, "seed": self.seed, "draws": self.draws.tolist()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FitResult:
        """Rebuild a fit from ``to_json``.

        Raises
        ------
        UserError
            If something that a fit needs is missing or of another kind.
        """
        try:
            law = get_law(data["law"])
            return cls(
                law=law,
                theta=_read_theta(law, [float(data["parameters"][n]) for n in law.parameter_names]),
                draws=_read_theta(law, data["bootstrap"]["draws"] or np.zeros((0, len(law.parameters)))),
                objective=_known("objective", data["objective"]["name"], OBJECTIVES),
                value=float(data["objective"]["value"]),
                certificate=Certificate.from_json(data["certificate"]),
                n_points=int(data["n_points"]),
                points=pd.DataFrame(),
                ranges={name: _read_range(*pair) for name, pair in data["ranges"].items()},
                lines={name: asdict(Line.from_json(line)) for name, line in data["lines"].items()},
                notes=tuple(str(note) for note in data["notes"]),
                seed=int(data["bootstrap"]["seed"]),
                delta=_maybe(data["objective"].get("delta")),
                method=_known("method", data["bootstrap"].get("method", "pairs"), METHODS),
                metric=_read_metric(data.get("metric")),
                weights=str(data.get("weights", "")),
                constraints=tuple(Constraint.parse(c) for c in data.get("constraints", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(
                f"This is not a fit that Scaling Explorer saved ({type(error).__name__}: {error}).",
                fix="Make one with: python -m scaling_core fit FILES --law LAW --json > fit.json",
            ) from error


def _read_theta(law: Law, values: Any) -> Array:
    """Parameters of shape (..., p) as the law allows them."""
    theta = np.array(values, dtype=float)
    if theta.shape[-1:] != (len(law.parameters),) or theta.ndim > 2:
        raise ValueError(f"{law.name} has {len(law.parameters)} parameters")
    lower, upper = np.array([(p.lower, p.upper) for p in law.parameters]).T
    if not (np.isfinite(theta) & (theta >= lower) & (theta <= upper)).all():
        raise ValueError("a parameter is outside of its bounds")
    return theta


def _known(what: str, name: Any, choices: Iterable[str]) -> str:
    if name not in tuple(choices):
        raise ValueError(f"there is no {what} called {name}")
    return str(name)


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)


def _read_metric(data: Mapping[str, Any] | None) -> Metric:
    """The metric of a fit; a file from before there were others is about loss."""
    if data is None:
        return LOSS
    best = float(data["best"])
    if not math.isfinite(best):
        raise ValueError("the best value of the metric is no finite number")
    return Metric(str(data["column"]), str(data["title"]), bool(data["higher_is_better"]), best)


def _read_range(low: Any, high: Any) -> tuple[float, float]:
    if not 0 < float(low) <= float(high) < math.inf:
        raise ValueError(f"{low} to {high} is no range")
    return float(low), float(high)


def quantile_interval(draws: Array, level: float) -> tuple[Array, Array]:
    """Percentile interval over the first axis of ``draws``."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
