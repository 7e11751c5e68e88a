"""Profile of a parameter: how much worse the law fits where it is held at other values and all others follow.

A weak parameter has no honest ±: its profile runs flat for long and rises on one side only. The interval is where the
objective rises by no more than λ/2 · χ²₁(level). For squared error λ is the variance of a residual, and this is the
likelihood's own interval; for any other cost λ is the parameter's variance by the sandwich over its variance by the
curvature (Kent 1982; for robust regression Schrader & Hettmansperger 1980, for the median Koenker & Machado 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.profile_trail import Axis, Trail
from scaling_core.fitting.result import DEFAULT_LEVEL
from scaling_core.fitting.sandwich import normal_quantile, sandwich
from scaling_core.laws import Array
from scaling_core.units import format_number

if TYPE_CHECKING:
    from scaling_core.fitting.fit import Posed

#: A parameter is flat where values this many times apart fit about as well.
WIDE = 10.0
#: Standard error of ln of a parameter above which its profile is looked at: a third of what would make it flat.
_SUSPECT = float(np.log(WIDE)) / 2 / 1.645 / 3
_MOST = 3
#: A rise this much below zero, in thresholds, is a better optimum and not rounding.
_BETTER = 1e-3


@dataclass(frozen=True)
class Profile:
    """How the objective rises away from a parameter's value in the fit.

    Attributes
    ----------
    name : str
    best : float
        The value in the fit.
    values : array, shape (m,)
        Values that the parameter was held at, in order; ``best`` is among them.
    rise : array, shape (m,)
        Objective there above the fit's, in the units that a fit reports. Negative where a better optimum turned up.
    threshold : float
        Rise at the ends of the interval.
    level : float
        Share of repeated experiments in which the interval would hold the truth.
    low, high : float
        The interval; the last value looked at where it is open.
    open_low, open_high : bool
        Whether the objective did not rise to the threshold on that side.
    """

    name: str
    best: float
    values: Array
    rise: Array
    threshold: float
    level: float
    low: float
    high: float
    open_low: bool
    open_high: bool

    @property
    def flat(self) -> bool:
        """Whether the runs hardly say what it is: the interval is open, or holds values ``WIDE`` times apart."""
        return self.open_low or self.open_high or self.high > WIDE * self.low > 0

    @property
    def better(self) -> float | None:
        """A value that fits better than the fit's own, if one turned up."""
        lowest = int(np.argmin(self.rise))
        return float(self.values[lowest]) if self.rise[lowest] < -_BETTER * self.threshold else None


def profile(posed: Posed, u: Array, name: str, level: float = DEFAULT_LEVEL, *, coarse: bool = False) -> Profile:
    """Profile of the parameter ``name`` around the optimum ``u`` (p,), in working coordinates of ``posed``.

    ``coarse`` finds the ends to about a tenth of a standard error, in half the time.

    Raises
    ------
    UserError
        If the law has no such parameter, or it is fixed.
    """
    axis = Axis.through(posed, u, _index(posed, name))
    spread = sandwich(axis.problem, axis.u, posed.weights, posed.groups, axis.index)
    threshold = 0.5 * spread.inflation(axis.index) * normal_quantile(0.5 + level / 2) ** 2
    trail = Trail.until(axis, posed.weights, spread, threshold, coarse=coarse)
    low, open_low = trail.end(-1, threshold)
    high, open_high = trail.end(+1, threshold)
    unit = posed.objective.reported(1.0, float(posed.weights.sum()), posed.scale)
    return Profile(
        name, axis.value(0.0), np.array([axis.value(t) for t in trail.t]), trail.rise * unit, threshold * unit, level,
        axis.value(low), axis.value(high), open_low, open_high,
    )  # fmt: skip


def flat_profiles(posed: Posed, u: Array, level: float = DEFAULT_LEVEL) -> tuple[Profile, ...]:
    """Coarse profiles that are flat, of parameters that are neither fixed nor on a bound, the weakest few at most.

    Coefficients that depend on the units of a predictor, such as A of A/N^alpha, are left out: what the runs tell about
    them is in their exponents.
    """
    found = (profile(posed, u, name, level, coarse=True) for name in _suspects(posed, u)[:_MOST])
    return tuple(p for p in found if p.flat)


def flat_finding(posed: Posed, u: Array, level: float = DEFAULT_LEVEL) -> Finding | None:
    """What to say of parameters whose profile is flat."""
    flat = flat_profiles(posed, u, level)
    if not flat:
        return None
    names, said = (" and ".join(parts) for parts in zip(*((p.name, _said(p)) for p in flat), strict=True))
    text = f"The runs hardly tell {names}: {said} would fit about as well."
    fix = "Quote the range and not the value; fix the parameter, or add runs where it matters."
    return Finding("flat", "doubt", text, float(len(flat)), fix)


def _said(p: Profile) -> str:
    low, high = (format_number(end, 2) for end in (p.low, p.high))
    if p.open_low and p.open_high:
        return f"any {p.name}"
    if p.open_low:
        return f"any {p.name} up to {high}"
    return f"{p.name} from {low} to any larger value" if p.open_high else f"{p.name} from {low} to {high}"


def _index(posed: Posed, name: str) -> int:
    names = posed.law.parameter_names
    if name not in names:
        raise UserError(f"{posed.law.title} has no parameter called “{name}”.", fix=f"It has: {', '.join(names)}.")
    if names.index(name) in posed.problem.fixed:
        raise UserError(f"{name} is fixed, so it has no profile.", fix="Let it free, or choose another parameter.")
    return names.index(name)


def _suspects(posed: Posed, u: Array) -> list[str]:
    """Names of parameters whose profile might be flat, by what is known at the optimum; the weakest first."""
    spread = np.sqrt(np.diag(sandwich(posed.problem, u, posed.weights, posed.groups).covariance))
    errors = {}
    for i in np.flatnonzero(spread):
        axis = Axis.at(posed.problem, u, int(i))
        if axis.in_ratio and axis.step(spread[i]) > _SUSPECT and not axis.is_tied:
            errors[posed.law.parameter_names[i]] = axis.step(spread[i])
    return sorted(errors, key=lambda name: -errors[name])
